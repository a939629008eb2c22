"""What the rest of ops is given of the vault: a value by its name, texts without secrets, what a task was granted.

    keyring.get("OPENAI_API_KEY")     the value now: the environment's, else the vault's; None when there is none
    keyring.redact(text)              the text without any secret this process has ever known
    keyring.redactor                  the same for texts that come in pieces
    keyring.find_in(text)             the name of a stored value that stands in the text, or None
    keyring.granted(["NPM_TOKEN"])    what the steps of a task get that names it in params.secrets

Ask when it is needed and keep no copy: a value stored in this moment, by any process, is found.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from events.errors import SecretNotGranted, Unavailable
from ops.config import Config, inherited_environment
from ops.errors import OperatorError
from ops.vault.contents import Contents
from ops.vault.vault import Vault, vault_folder
from runner.redact import Redactor

Environment = Callable[[], Mapping[str, str]]


class Secrets(Protocol):
    """The part of a Keyring that calls a service with a key."""

    def get(self, name: str) -> str | None:
        """The value of a variable now, or None. Raises Unavailable when the vault cannot be opened."""

    def redact(self, text: str) -> str:
        """The text with every known secret replaced by `[redacted]`."""


class Keyring:
    """The secrets of one process: those of its settings, of its vault, and what it took from its environment."""

    def __init__(
        self, vault: Vault, settings: Sequence[str] = (), environment: Environment = inherited_environment
    ) -> None:
        self.vault = vault
        self.redactor = Redactor(settings, self._values)
        self._environment = environment
        self._taken: frozenset[str] = frozenset()
        self._seen = Contents()
        self._known: frozenset[str] = frozenset()

    @staticmethod
    def of(config: Config) -> "Keyring":
        """The one keyring that this process has for the settings' home folder."""
        return _shared(vault_folder(config.home), config.vault_passphrase, config.known_secrets)

    def get(self, name: str) -> str | None:
        """The value of a variable now: the environment's, else the vault's; None when there is none, or it is empty.

        Raises Unavailable when the vault cannot be opened.
        """
        own = self._environment().get(name)
        if own:
            self.hide([own])
            return own
        entry = self.contents().entries.get(name)
        if entry is None:
            return None
        self.hide([entry.value])
        return entry.value

    def hide(self, values: Iterable[str]) -> None:
        """Have these redacted as well, from now on."""
        self._taken |= frozenset(values)
        if not self._taken <= self._known:
            self._known |= self._taken

    def contents(self) -> Contents:
        """All that is in the vault now. Raises Unavailable when it cannot be opened."""
        try:
            return self.vault.read()
        except OperatorError as error:
            raise Unavailable(str(error)) from error

    def load(self) -> None:
        """Read the vault, so that its values are redacted even if it is damaged later.

        Raises OperatorError when it cannot be opened: then nothing of it would be redacted.
        """
        self.vault.read()
        self._values()

    def is_overridden(self, name: str) -> bool:
        """Whether the environment has a value of its own, so that the vault's is not used."""
        return bool(self._environment().get(name))

    def overriding(self) -> frozenset[str]:
        """All names of which that is so. The environment is copied for each question, so many are asked at once."""
        return frozenset(name for name, value in self._environment().items() if value)

    def redact(self, text: str) -> str:
        """`text` with every secret that this process has ever known replaced by `[redacted]`."""
        return self.redactor.redact(text)

    def find_in(self, text: str) -> str | None:
        """The name of a stored value that stands in `text` in whatever form, or None."""
        entries = self._last_contents().entries
        if not entries:
            return None
        found = self.redactor.find(text)
        return next((name for name, entry in entries.items() if entry.value in found), None) if found else None

    def granted(self, names: Sequence[str]) -> dict[str, str]:
        """The values of the variables that a task names.

        Raises:
            SecretNotGranted: one of them is not in the vault, or the operator has not granted it to tasks.
            Unavailable: the vault cannot be opened.
        """
        entries = self.contents().entries
        for name in names:
            if name not in entries:
                raise SecretNotGranted(f"secret {name} is not in the vault here: elruso vault set {name} --grant")
            if not entries[name].granted:
                raise SecretNotGranted(f"secret {name} is not granted to tasks: elruso vault grant {name}")
        values = {name: entries[name].value for name in names}
        self.hide(values.values())
        return values

    def _values(self) -> frozenset[str]:
        """Every value the redactor must know; the same object for as long as there are no others."""
        contents = self._last_contents()
        if contents is not self._seen:
            self._seen = contents
            self._known = self._taken | {entry.value for entry in contents.entries.values()}
        return self._known

    def _last_contents(self) -> Contents:
        """What the vault holds; what it last held when it cannot be opened now, which those who need it will hear."""
        try:
            return self.vault.read()
        except OperatorError:
            return self._seen


@lru_cache(maxsize=16)
def _shared(folder: Path, passphrase: str | None, settings: tuple[str, ...]) -> Keyring:
    return Keyring(Vault(folder, passphrase), settings)
