"""The database by itself: constraints, refusals, plans, rights."""
