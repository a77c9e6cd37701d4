"""Dockerfiles and compose files, as data."""
