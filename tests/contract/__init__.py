"""The first El Ruso's clients, as their contract (DESIGN §6 and its runbook) has them speak."""
