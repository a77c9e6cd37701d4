"""Recipes, as data: one YAML each."""
