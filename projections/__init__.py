"""What is known: rows folded from the log, and the questions one can ask of them."""
