"""The shop: django-oscar."""
