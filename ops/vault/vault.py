"""The vault of one home folder."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ops.errors import OperatorError
from ops.vault import lock
from ops.vault.contents import Contents, check_name
from ops.vault.folder import Folder, revision

FILE = "sealed"


def vault_folder(home: Path) -> Path:
    """Where the vault of a home folder lies."""
    return home / "vault"


class Vault:
    """Reads what is there now, whichever process wrote it; for several threads. Every method may raise OperatorError
    when the vault cannot be opened: its key is missing or exposed, the passphrase is another one, a byte was changed.
    """

    def __init__(self, folder: Path, passphrase: str | None = None) -> None:
        self._folder = Folder(folder)
        self.file = folder / FILE
        """The sealed file."""
        self._passphrase = passphrase
        self._alone = threading.Lock()
        self._revision: int | None = None
        self._contents = Contents()

    def read(self) -> Contents:
        """All of it; the very same object as long as nothing has changed. Costs one look at the file's date."""
        if self._current_revision() != self._revision:
            with self._alone, _told(self.file), self._folder.reading():
                seen = revision(self.file)
                self._contents, _lock = self._open()
                self._revision = seen
        return self._contents

    def _current_revision(self) -> int | None:
        try:
            return revision(self.file)
        except OSError as error:  # without a context manager, since this is called for each text that is redacted
            raise _unusable(self.file, error) from error

    def get(self, name: str) -> str | None:
        """A value, or None."""
        entry = self.read().entries.get(name)
        return entry.value if entry else None

    def set(self, values: Mapping[str, str], granted: bool | None = None) -> None:
        """Store values, all or none; `granted` says whether tasks may have them (None: as before, at first not)."""
        now = datetime.now(UTC)
        self._change(lambda contents: contents.having(values, now, granted))

    def remove(self, names: Iterable[str]) -> None:
        """Forget values, all or none."""
        wanted = list(names)
        self._change(lambda contents: contents.without(wanted))

    def grant(self, names: Iterable[str], granted: bool = True) -> None:
        """Let tasks that name these values have them, or not any more."""
        wanted = list(names)
        for name in wanted:
            check_name(name)
        self._change(lambda contents: contents.granting(wanted, granted))

    @property
    def passphrase(self) -> str | None:
        """The passphrase that the vault is sealed with; None when it is sealed with a key file, or does not exist."""
        with _told(self.file), self._folder.reading():
            _contents, known = self._open()
        return None if known is None or known.line == lock.KEY_LINE else self._passphrase

    def rotate(self, passphrase: str | None = None) -> None:
        """Seal everything anew: with this passphrase from now on, or, without one, with a new key in the key file."""
        with _told(self.file), self._folder.writing():
            contents, _known = self._open()
            to = lock.passphrase_lock(passphrase) if passphrase else None
            lock.rotate(self._folder, to, lambda fresh: self._write(contents, fresh))
        self._passphrase = passphrase or self._passphrase

    def _change(self, change: Callable[[Contents], Contents]) -> None:
        with _told(self.file), self._folder.writing():
            contents, known = self._open()
            changed = change(contents)
            self._write(changed, known or lock.new_lock(self._folder, self._passphrase))

    def _open(self) -> tuple[Contents, lock.Lock | None]:
        sealed = self._folder.read(FILE)
        if sealed is None:
            return Contents(), None
        text, known = lock.unlock(self._folder, sealed, self._passphrase)
        try:
            return Contents.decode(text), known
        except msgspec.MsgspecError as error:  # sealed by another version: the key fits, so it was not tampered with
            raise OperatorError("vault.damaged", folder=self._folder.path) from error

    def _write(self, contents: Contents, known: lock.Lock) -> None:
        self._folder.replace(FILE, known.seal(contents.encode()))


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Raises OperatorError when the disk does not let us."""
    try:
        yield
    except OSError as error:
        raise _unusable(file, error) from error


def _unusable(file: Path, error: OSError) -> OperatorError:
    return OperatorError("vault.disk", file=file, detail=error.strerror or error)
