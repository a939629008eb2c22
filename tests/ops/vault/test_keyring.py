"""A keyring gives values when they are needed, and knows every secret that must not be seen."""

from pathlib import Path

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from events.errors import SecretNotGranted, Unavailable
from ops.errors import OperatorError
from ops.vault.keyring import Keyring
from ops.vault.vault import Vault
from runner.output import StepOutput, Stream

SECRET = "correct-horse-battery-staple"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """An empty vault."""
    return Vault(tmp_path / "vault")


def keyring_of(vault: Vault, **environment: str) -> Keyring:
    """A keyring of another process than the one that writes the vault."""
    return Keyring(Vault(vault.file.parent), ("a-setting-of-ours",), lambda: environment)


def vault_with(value: str, folder: Path) -> Vault:
    """A vault that holds the value. One that no vault takes is no example."""
    vault = Vault(folder)
    try:
        vault.set({"X": value})
    except OperatorError:
        reject()
    return vault


def test_a_value_is_had_when_it_is_needed(vault: Vault) -> None:
    """A value stored, replaced or removed by another process counts at the next call."""
    keyring = keyring_of(vault)
    assert keyring.get("OPENAI_API_KEY") is None
    vault.set({"OPENAI_API_KEY": SECRET})
    assert SECRET == keyring.get("OPENAI_API_KEY")
    vault.set({"OPENAI_API_KEY": "another-value"})
    assert "another-value" == keyring.get("OPENAI_API_KEY")
    vault.remove(["OPENAI_API_KEY"])
    assert keyring.get("OPENAI_API_KEY") is None


def test_the_environment_comes_first(vault: Vault) -> None:
    """A variable of the environment hides the vault's, unless it is empty; and its value is redacted from then on."""
    vault.set({"OPENAI_API_KEY": SECRET})
    keyring = keyring_of(vault, OPENAI_API_KEY="environments-own", OPENAI_ORG="")
    assert "environments-own" == keyring.get("OPENAI_API_KEY")
    assert (True, False) == (keyring.is_overridden("OPENAI_API_KEY"), keyring.is_overridden("OPENAI_ORG"))
    assert "[redacted] [redacted]" == keyring.redact(f"environments-own {SECRET}")


def test_a_secret_is_hidden_from_the_moment_it_is_stored_and_for_ever(vault: Vault) -> None:
    """What the vault held once is redacted, also after it was replaced; and so are the secrets of the settings."""
    keyring = keyring_of(vault)
    assert f"{SECRET} [redacted]" == keyring.redact(f"{SECRET} a-setting-of-ours")
    vault.set({"X": SECRET})
    assert "[redacted]" == keyring.redact(SECRET)
    vault.set({"X": "another-value"})
    assert "another-value" == keyring.get("X")
    vault.remove(["X"])
    keyring.hide(["a-third-value"])
    assert "[redacted]" * 3 == keyring.redact(f"{SECRET}another-valuea-third-value")


def test_a_stored_value_is_found_in_a_text(vault: Vault) -> None:
    """Its name is told; values that are too short to mean anything are not looked for."""
    vault.set({"LONG": f" {SECRET}\n", "SHORT": "on"})
    keyring = keyring_of(vault)
    assert "LONG" == keyring.find_in(f"echo {SECRET}!")
    assert keyring.find_in("turn it on") is None


def test_tasks_get_what_was_granted(vault: Vault) -> None:
    """What is missing or not granted is refused, each with the command that mends it."""
    vault.set({"NPM_TOKEN": SECRET}, granted=True)
    vault.set({"OPENAI_API_KEY": "another-value"})
    keyring = keyring_of(vault)
    assert {"NPM_TOKEN": SECRET} == keyring.granted(["NPM_TOKEN"])
    assert {} == keyring.granted([])
    with pytest.raises(SecretNotGranted, match="elruso vault grant OPENAI_API_KEY"):
        keyring.granted(["NPM_TOKEN", "OPENAI_API_KEY"])
    with pytest.raises(SecretNotGranted, match="elruso vault set NOPE --grant"):
        keyring.granted(["NOPE"])


def test_a_damaged_vault_hides_what_it_held(vault: Vault) -> None:
    """Whoever asks for a value is told of the damage; redaction goes on with what is known."""
    vault.set({"X": SECRET}, granted=True)
    keyring = keyring_of(vault)
    assert "[redacted]" == keyring.redact(SECRET)
    vault.file.write_bytes(vault.file.read_bytes()[:-1])
    for ask in (lambda: keyring.get("X"), lambda: keyring.granted(["X"]), keyring.contents):
        with pytest.raises(Unavailable, match="damaged"):
            ask()
    assert ("[redacted]", "X") == (keyring.redact(SECRET), keyring.find_in(SECRET))


@given(data=st.data(), value=st.text(min_size=6, max_size=60))
@settings(deadline=None, max_examples=60)
async def test_no_stored_value_leaves_a_step(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, value: str
) -> None:
    """Whatever the value, however its bytes are cut and whatever stands around it, the log never sees it."""
    vault = vault_with(value, tmp_path_factory.mktemp("vault"))
    around = st.lists(st.sampled_from([value, value[:-1], value[1:], value[:3], "\n", "x", "ñ"]), max_size=5).map(
        "".join
    )
    printed = (data.draw(around) + value + data.draw(around)).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(printed)), max_size=6)))
    logged: dict[Stream, str] = {"stdout": "", "stderr": ""}

    async def emit(stream: Stream, text: str) -> None:
        logged[stream] += text

    output = StepOutput(keyring_of(vault).redactor, emit)
    for start, end in zip([0, *cuts], [*cuts, len(printed)], strict=True):
        await output.write("stdout", printed[start:end])
    await output.finish()

    assert value not in logged["stdout"]
    assert value not in output.excerpt


@given(data=st.data(), value=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=30))
@settings(deadline=None, max_examples=40)
async def test_nor_by_way_of_two_streams(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, value: str
) -> None:
    """A value that begins on one stream and ends on the other is not put together in the excerpt."""
    vault = vault_with(value, tmp_path_factory.mktemp("vault"))
    cut = data.draw(st.integers(1, len(value) - 1))

    async def emit(stream: Stream, text: str) -> None:
        assert value not in text

    output = StepOutput(keyring_of(vault).redactor, emit)
    await output.write("stdout", value[:cut].encode() + b"")
    await output.write("stderr", value[cut:].encode())
    await output.finish()
    assert value not in output.excerpt
