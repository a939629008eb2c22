"""Bodies are screened with the search that redacts output."""

import json
import threading
from pathlib import Path

import pytest

from api.screening import INLINE_BYTES, Policy, screen_body, screened
from events.errors import SecretInText
from ops.vault.keyring import Keyring
from ops.vault.vault import Vault
from tests.secrets.encoders import ENCODERS, VALUES


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    """All values in one vault, under their names."""
    folder: Path = tmp_path_factory.mktemp("vault")
    Vault(folder).set({f"A_{name.replace(' ', '_').upper()}": value for name, value in VALUES.items()})
    return Keyring(Vault(folder))


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_body_with_a_value_in_any_form_is_refused(keyring: Keyring, name: str, encoder: str) -> None:
    """The variable is named, the value is not."""
    encoded = ENCODERS[encoder](VALUES[name])
    body = json.dumps({"title": "T", "steps": [{"name": "s", "cmd": f"deploy --key {encoded} now"}]}).encode()
    with pytest.raises(SecretInText) as refused:
        screened(body, "refuse", keyring)
    assert f"the value of A_{name.replace(' ', '_').upper()}," in refused.value.detail
    assert VALUES[name].strip() not in refused.value.detail


@pytest.mark.parametrize("policy", ["refuse", "redact"])
@pytest.mark.parametrize(
    "body", [{"params": {"pin": 48151623420815}}, {"48151623420815": 1}, {"a": [48151623420815.0]}]
)
def test_a_number_is_a_text_too(keyring: Keyring, policy: str, body: object) -> None:
    """JSON has numbers, and a secret may be one."""
    encoded = json.dumps(body).encode()
    if policy == "refuse":
        with pytest.raises(SecretInText):
            screened(encoded, "refuse", keyring)
    else:
        assert b"48151623420815" not in screened(encoded, "redact", keyring)


def test_reports_keep_what_is_no_secret(keyring: Keyring) -> None:
    """Nothing is changed in a body without one, and nothing else in a body with one."""
    clean = b'{"run_id": 1234567890123, "ok": true, "ms": 12.5, "text": "compiled 3 files"}'
    assert screened(clean, "redact", keyring) is clean
    held = json.dumps({"run_id": 1234567890123, "ok": True, "text": VALUES["key"]}).encode()
    assert {"run_id": 1234567890123, "ok": True, "text": "[redacted]"} == json.loads(screened(held, "redact", keyring))


def test_two_texts_are_no_value_together(keyring: Keyring) -> None:
    """A value is found in one text, not across two."""
    first, second = VALUES["words"][:10], VALUES["words"][10:]
    body = json.dumps([first, second]).encode()
    assert screened(body, "refuse", keyring) is body


class WatchedScreen:
    """Notes which threads search."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self.threads: set[threading.Thread] = set()

    def find_in(self, text: str) -> str | None:
        """See api.credentials.Screen."""
        self.threads.add(threading.current_thread())
        return self.keyring.find_in(text)

    def redact(self, text: str) -> str:
        """See api.credentials.Screen."""
        self.threads.add(threading.current_thread())
        return self.keyring.redact(text)


@pytest.mark.parametrize("policy", ["refuse", "redact"])
async def test_a_long_body_leaves_the_event_loop_alone(keyring: Keyring, policy: Policy) -> None:
    """It is searched on another thread, a short one at once."""
    screen = WatchedScreen(keyring)
    await screen_body(b'{"a": "short"}', policy, screen)
    assert {threading.current_thread()} == screen.threads
    screen.threads.clear()
    await screen_body(json.dumps({"a": "://a:" * INLINE_BYTES}).encode(), policy, screen)
    assert screen.threads
    assert threading.current_thread() not in screen.threads


async def test_a_long_body_is_searched_like_a_short_one(keyring: Keyring) -> None:
    """With the same result."""
    long = "compiled 3 files\n" * INLINE_BYTES
    clean = json.dumps({"text": long}).encode()
    assert await screen_body(clean, "refuse", keyring) is clean
    with pytest.raises(SecretInText):
        await screen_body(json.dumps({"text": long + VALUES["key"]}).encode(), "refuse", keyring)
    assert b"[redacted]" in await screen_body(json.dumps({"text": long + VALUES["key"]}).encode(), "redact", keyring)
