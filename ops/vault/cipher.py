"""Sealing: AES-256-GCM under a key of 32 bytes. Whoever lacks the key learns the length, rounded up, and nothing else.

A sealed text is a readable line that says how it is locked, a nonce of 12 bytes, and the ciphertext with its tag. The
line is authenticated together with the text, so not one byte of the file can be changed unnoticed.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
BLOCK_BYTES = 1024  # the text is filled up with spaces to a multiple of this, so that its length tells little


class Unopened(Exception):
    """The key is another one, or the sealed text is not what was sealed."""


def new_key() -> bytes:
    """A random key."""
    return AESGCM.generate_key(KEY_BYTES * 8)


def seal(line: bytes, text: bytes, key: bytes) -> bytes:
    """The sealed `text` behind its `line` (which ends with a line feed). What opens it has spaces at its end."""
    filled = text.ljust(-(-max(1, len(text)) // BLOCK_BYTES) * BLOCK_BYTES)
    nonce = os.urandom(NONCE_BYTES)
    return line + nonce + AESGCM(key).encrypt(nonce, filled, line)


def split(sealed: bytes) -> tuple[bytes, bytes]:
    """The line of a sealed text, and the rest."""
    line, feed, rest = sealed.partition(b"\n")
    return line + feed, rest


def unseal(sealed: bytes, key: bytes) -> bytes:
    """The text that was sealed under `key`. Raises Unopened."""
    line, rest = split(sealed)
    try:
        return AESGCM(key).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], line)
    except (InvalidTag, ValueError) as error:
        raise Unopened from error
