"""Whatever acts: policies, renderers and dialects, engines, and the rollout."""
