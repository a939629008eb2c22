"""What the vault is locked with: keys in a file of its own, or a passphrase. The sealed file says which.

The key file holds one key a line, the newest first. There are two while a rotation is under way: whatever moment it is
killed at, one of them opens the vault.
"""

import base64
import binascii
import os
import re
import stat
from collections.abc import Callable, Iterator
from functools import lru_cache

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from msgspec import Struct

from ops.errors import OperatorError
from ops.vault import cipher
from ops.vault.cipher import KEY_BYTES, Unopened
from ops.vault.folder import Folder

KEY_FILE = "key"
KEY_LINE = b"elruso-vault 1 aes-256-gcm key\n"
PASSPHRASE_LINE = re.compile(rb"elruso-vault 1 aes-256-gcm scrypt ([0-9a-f]{32})\n")
SALT_BYTES = 16
# 32 MiB and a tenth of a second for whoever tries one passphrase; they belong to version 1 of the file.
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**15, 8, 1


class Lock(Struct, frozen=True):
    """A line for the sealed file and the key that goes with it."""

    line: bytes
    key: bytes

    def seal(self, text: bytes) -> bytes:
        """`text`, sealed."""
        return cipher.seal(self.line, text, self.key)


def unlock(folder: Folder, sealed: bytes, passphrase: str | None) -> tuple[bytes, Lock]:
    """The text in `sealed`, and the lock that opened it.

    Raises OperatorError: the key file or the passphrase is missing, wrong or exposed; or the file was damaged.
    """
    line, _rest = cipher.split(sealed)
    salt = PASSPHRASE_LINE.fullmatch(line)
    if salt is not None:
        if not passphrase:
            raise OperatorError("vault.locked", folder=folder.path)
        lock = passphrase_lock(passphrase, bytes.fromhex(salt[1].decode()))
        return _opened(sealed, [lock], OperatorError("vault.wrong_passphrase", folder=folder.path))
    if line != KEY_LINE:
        raise OperatorError("vault.damaged", folder=folder.path)
    keys = list(read_keys(folder))
    if not keys:
        raise OperatorError("vault.no_key", file=folder.path / KEY_FILE)
    locks = [Lock(KEY_LINE, key) for key in keys]
    return _opened(sealed, locks, OperatorError("vault.damaged", folder=folder.path))


def passphrase_lock(passphrase: str, salt: bytes | None = None) -> Lock:
    """The lock of a passphrase; with a new salt unless the one in a sealed file is given."""
    salt = salt or os.urandom(SALT_BYTES)
    return Lock(b"elruso-vault 1 aes-256-gcm scrypt %b\n" % salt.hex().encode(), _derive(passphrase, salt))


def new_lock(folder: Folder, passphrase: str | None) -> Lock:
    """The lock of a vault that does not exist yet; without a passphrase a key file is made, unless there is one."""
    if passphrase:
        return passphrase_lock(passphrase)
    known = next(read_keys(folder), None)
    if known is None:
        known = cipher.new_key()
        write_keys(folder, known)
    return Lock(KEY_LINE, known)


def rotate(folder: Folder, to: Lock | None, reseal: Callable[[Lock], None]) -> None:
    """Give the vault another lock (None: a new key). `reseal` replaces the sealed file, whole."""
    if to is None:
        fresh = cipher.new_key()
        write_keys(folder, fresh, *read_keys(folder))
        reseal(Lock(KEY_LINE, fresh))
        write_keys(folder, fresh)
    else:
        reseal(to)
        folder.remove(KEY_FILE)


def read_keys(folder: Folder) -> Iterator[bytes]:
    """The keys in the key file, the newest first. Raises OperatorError when it is exposed, or no key file."""
    text = folder.read(KEY_FILE)
    if text is None:
        return
    file = folder.path / KEY_FILE
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise OperatorError("vault.key_exposed", file=file)
    for line in text.split():
        try:
            key = base64.b64decode(line, validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES:
            raise OperatorError("vault.key_damaged", file=file)
        yield key


def write_keys(folder: Folder, *keys: bytes) -> None:
    """Write the key file anew."""
    folder.replace(KEY_FILE, b"".join(base64.b64encode(key) + b"\n" for key in keys))


def _opened(sealed: bytes, locks: list[Lock], otherwise: OperatorError) -> tuple[bytes, Lock]:
    for lock in locks:
        try:
            return cipher.unseal(sealed, lock.key), lock
        except Unopened:
            continue
    raise otherwise


@lru_cache(maxsize=4)
def _derive(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=KEY_BYTES, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(passphrase.encode())
