"""Facts about the API, over a real server and a real database."""
