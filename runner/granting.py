"""The secrets that a task names in params.secrets, as far as the operator granted them."""

from collections.abc import Container, Sequence
from typing import Any, Protocol

from events.errors import InvalidInput, SecretNotGranted


class Grants(Protocol):
    """Where granted secrets come from. Whoever starts the runner passes one."""

    def granted(self, names: Sequence[str]) -> dict[str, str]:
        """The values now. Raises SecretNotGranted when one of them is missing or not granted."""


class NoGrants:
    """Grants nothing."""

    def granted(self, names: Sequence[str]) -> dict[str, str]:
        """Nothing, for nobody."""
        if names:
            raise SecretNotGranted(f"this runner has no vault, so it cannot give a task {', '.join(names)}")
        return {}


def secrets_of(params: dict[str, Any], grants: Grants, present: Container[str] = ()) -> dict[str, str]:
    """The variables that the steps of a task get besides what every task gets; `present` are there anyway.

    Raises:
        InvalidInput: params.secrets is no list of names.
        SecretNotGranted: the operator has not granted one of them.
    """
    names = params.get("secrets")
    if names is None:
        return {}
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidInput('params.secrets is a list of names of variables, like ["NPM_TOKEN"]')
    return grants.granted([name for name in names if name not in present])
