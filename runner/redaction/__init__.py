"""Find secrets in text, in every usual encoding (ADR 0023). The public interface is runner/redact.py.

parts.py      the secret parts of a value   needles.py   the forms that are searched for
escapes.py    decoding                      shapes.py    keys by their shape
matcher.py    the search
"""
