"""The panel in a real Chromium."""
