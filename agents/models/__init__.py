"""Vision-language models: loading any, and building tiny ones from nothing."""
