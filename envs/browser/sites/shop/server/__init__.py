"""The shop's server: runs in its own virtual environment."""
