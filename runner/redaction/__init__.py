"""Finds secrets in text, in whatever way they are written there. runner/redact.py is what the rest uses.

parts.py      the secrets inside a secret          needles.py   what is searched for
escapes.py    undoes the ways of writing it down   shapes.py    keys by their shape
matcher.py    the search
"""
