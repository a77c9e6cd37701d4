"""Whatever changes weights: warm start, multi-turn GRPO, the gate, checkpoints, evaluation during training."""
