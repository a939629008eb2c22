"""Secrets: encoders × chunk boundaries at redaction, screening and commits."""
