"""Facts about events."""
