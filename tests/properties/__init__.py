"""What holds for every history: random commands against PostgreSQL and against the pure model."""
