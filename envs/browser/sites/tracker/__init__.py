"""The tracker: Trac, for a project that nobody works on."""
