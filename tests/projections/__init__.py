"""Facts about projections."""
