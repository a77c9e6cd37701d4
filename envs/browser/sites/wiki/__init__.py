"""The wiki: MediaWiki, about an archipelago that nobody has been to."""
