"""Two at the same moment, staged: who waits for whom is read from PostgreSQL, nothing is left to chance."""
