"""The browser family: pages in real Chromium, seen as pixels and acted on with mouse and keyboard."""
