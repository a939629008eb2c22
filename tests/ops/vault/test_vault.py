"""The vault keeps values from everybody but its owner, and loses none of them."""

import base64
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.errors import OperatorError
from ops.vault.contents import Contents
from ops.vault.folder import Folder
from ops.vault.lock import KEY_FILE
from ops.vault.vault import FILE, Vault

ROOT = Path(__file__).parent.parent.parent.parent
SECRET = "correct-horse-battery-staple"
PHRASE = "a phrase that nobody guesses"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a vault may be."""
    return tmp_path / "vault"


@pytest.fixture(params=[None, PHRASE], ids=["key", "passphrase"])
def vault(folder: Path, request: pytest.FixtureRequest) -> Vault:
    """A vault with two values, locked either way."""
    vault = Vault(folder, request.param)
    vault.set({"OPENAI_API_KEY": SECRET, "NPM_TOKEN": "npm-token-value"})
    return vault


def again(vault: Vault) -> Vault:
    """The same vault, as another process sees it."""
    return Vault(vault.file.parent, vault._passphrase)


def values(vault: Vault) -> dict[str, str]:
    """All that is in it."""
    return {name: entry.value for name, entry in again(vault).read().entries.items()}


# ---------------------------------------------------------------------- what it holds


def test_what_is_stored_is_there(vault: Vault) -> None:
    """Values are found by their names, by every process; other names have none."""
    assert SECRET == again(vault).get("OPENAI_API_KEY")
    assert again(vault).get("OPENAI_ORG") is None
    vault.set({"OPENAI_API_KEY": "another value"})
    assert {"OPENAI_API_KEY": "another value", "NPM_TOKEN": "npm-token-value"} == values(vault)
    vault.remove(["NPM_TOKEN"])
    assert {"OPENAI_API_KEY"} == values(vault).keys()


def test_an_absent_vault_is_empty_and_stays_absent(folder: Path) -> None:
    """Looking into a vault that nobody has made makes nothing."""
    assert Vault(folder).get("X") is None
    assert Contents() == Vault(folder).read()
    assert not folder.exists()


def test_tasks_get_nothing_by_default(vault: Vault) -> None:
    """A stored value is not granted until somebody says so; a new value keeps the grant."""
    assert not any(entry.granted for entry in vault.read().entries.values())
    vault.grant(["NPM_TOKEN"])
    vault.set({"NPM_TOKEN": "a newer token"})
    assert [True, False] == [again(vault).read().entries[name].granted for name in ("NPM_TOKEN", "OPENAI_API_KEY")]
    vault.grant(["NPM_TOKEN"], False)
    vault.set({"OPENAI_API_KEY": SECRET}, granted=True)
    assert [False, True] == [again(vault).read().entries[name].granted for name in ("NPM_TOKEN", "OPENAI_API_KEY")]


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("MY-KEY", "value", "MY-KEY"),
        ("1KEY", "value", "1KEY"),
        ("", "value", "variable"),
        ("KEY\n", "value", "variable"),
        ("KEY", "", "empty"),
        ("KEY", " \n", "empty"),
        ("KEY", "a\0b", "base64"),
        ("KEY", "\ud800", "base64"),
        ("KEY", "x" * 70_000, "65536"),
    ],
)
def test_what_cannot_be_kept_is_refused(vault: Vault, name: str, value: str, complaint: str) -> None:
    """The refusal says why without showing the value, and nothing is stored, of none of the values."""
    with pytest.raises(OperatorError, match=complaint) as raised:
        vault.set({"FINE": "a fine value", name: value})
    assert value.strip() in ("", "value") or value not in str(raised.value)
    assert {"OPENAI_API_KEY", "NPM_TOKEN"} == values(vault).keys()


def test_unknown_names_are_refused(vault: Vault) -> None:
    """Removing or granting what is not there says what is, and changes nothing."""
    for change in (vault.remove, vault.grant):
        with pytest.raises(OperatorError, match=r"No NOPE .* NPM_TOKEN, OPENAI_API_KEY"):
            change(["NPM_TOKEN", "NOPE"])
    assert {"OPENAI_API_KEY", "NPM_TOKEN"} == values(vault).keys()


# ---------------------------------------------------------------------- what others see


def test_only_the_owner_reads_it(vault: Vault) -> None:
    """The folder is 0700, every file in it 0600, whatever the umask."""
    assert 0o700 == vault.file.parent.stat().st_mode & 0o777
    assert [0o600] == sorted({file.stat().st_mode & 0o777 for file in vault.file.parent.iterdir()})


@given(name=st.from_regex(r"[A-Z_]{6,40}", fullmatch=True), value=st.text(min_size=6).filter(lambda text: text.strip()))
@settings(max_examples=40, deadline=None)
def test_the_files_reveal_nothing(tmp_path_factory: pytest.TempPathFactory, name: str, value: str) -> None:
    """No file of the folder holds a name or a value, plain or encoded, and short values look alike by their size."""
    folder = tmp_path_factory.mktemp("vault")
    vault = Vault(folder)
    try:
        vault.set({name: value})
    except OperatorError:
        return
    forms = [name.encode(), value.encode(), base64.b64encode(value.encode()), value.encode().hex().encode()]
    written = b"".join(file.read_bytes() for file in folder.iterdir())
    assert not [form for form in forms if form in written]
    size = vault.file.stat().st_size
    vault.set({name: "a value of another length"})
    assert len(value) > 400 or size == vault.file.stat().st_size


def test_every_flipped_bit_is_noticed(vault: Vault) -> None:
    """Whichever byte of the sealed file is changed, the vault does not open and says what to do; so with cut ones."""
    sealed = vault.file.read_bytes()
    for place in range(len(sealed)):
        vault.file.write_bytes(sealed[:place] + bytes([sealed[place] ^ 1 << place % 8]) + sealed[place + 1 :])
        with pytest.raises(OperatorError, match=r"damaged|passphrase"):
            Vault(vault.file.parent, PHRASE).read()
    for changed in (b"", sealed[:-1], sealed + b"\0", sealed[:40], b"\n" + sealed):
        vault.file.write_bytes(changed)
        with pytest.raises(OperatorError, match=r"damaged.* copy"):
            again(vault).read()
        with pytest.raises(OperatorError, match="damaged"):
            again(vault).set({"X": "a new value"})
    assert b"\n" + sealed == vault.file.read_bytes()


def test_a_reader_hears_of_damage_every_time(vault: Vault) -> None:
    """Who has read it before the damage is told too, again and again, until it is mended."""
    sealed = vault.file.read_bytes()
    assert SECRET == vault.get("OPENAI_API_KEY")
    vault.file.write_bytes(sealed[:-1])
    for _ in range(2):
        with pytest.raises(OperatorError, match="damaged"):
            vault.get("OPENAI_API_KEY")
    vault.file.write_bytes(sealed)
    assert SECRET == vault.get("OPENAI_API_KEY")


def test_a_key_that_others_may_read_is_refused(folder: Path) -> None:
    """A key file of mode 0644 opens nothing until it is closed again; the refusal says how."""
    Vault(folder).set({"X": SECRET})
    (folder / KEY_FILE).chmod(0o640)
    with pytest.raises(OperatorError, match="chmod 600"):
        Vault(folder).get("X")
    (folder / KEY_FILE).chmod(0o600)
    assert SECRET == Vault(folder).get("X")


@pytest.mark.parametrize("content", [None, b"", b"not a key\n", b"AAAA\n"])
def test_a_lost_key_is_not_replaced_silently(folder: Path, content: bytes | None) -> None:
    """Without its key the vault neither opens nor takes new values: the old ones may still be saved."""
    Vault(folder).set({"X": SECRET})
    key = (folder / KEY_FILE).read_bytes()
    (folder / KEY_FILE).unlink()
    if content is not None:
        Folder(folder).replace(KEY_FILE, content)
    for attempt in (lambda: Vault(folder).get("X"), lambda: Vault(folder).set({"Y": SECRET})):
        with pytest.raises(OperatorError, match=r"copy"):
            attempt()
    Folder(folder).replace(KEY_FILE, key)
    assert SECRET == Vault(folder).get("X")


def test_a_passphrase_is_needed(folder: Path) -> None:
    """A vault sealed with a passphrase has no key file and opens with that passphrase only."""
    Vault(folder, PHRASE).set({"X": SECRET})
    assert not (folder / KEY_FILE).exists()
    with pytest.raises(OperatorError, match="ELRUSO_VAULT_PASSPHRASE"):
        Vault(folder).get("X")
    with pytest.raises(OperatorError, match="another one"):
        Vault(folder, "another phrase").get("X")
    assert SECRET == Vault(folder, PHRASE).get("X")


def test_a_copy_can_be_read_where_nothing_can_be_written(vault: Vault, tmp_path: Path) -> None:
    """A copy of the two files opens, and reading leaves nothing beside them."""
    copy = tmp_path / "copy"
    copy.mkdir()
    names = [name for name in (FILE, KEY_FILE) if (vault.file.parent / name).exists()]
    for name in names:
        shutil.copy(vault.file.parent / name, copy)
    assert SECRET == Vault(copy, PHRASE).get("OPENAI_API_KEY")
    assert sorted(names) == sorted(file.name for file in copy.iterdir())


def test_a_disk_that_refuses_is_told_of(tmp_path: Path) -> None:
    """A folder that cannot be made is a refusal, not a crash."""
    (tmp_path / "vault").write_text("a file is in the way")
    with pytest.raises(OperatorError, match="cannot be used"):
        Vault(tmp_path / "vault").set({"X": SECRET})


# ---------------------------------------------------------------------- rotation


def test_rotation_changes_the_key_and_no_value(vault: Vault) -> None:
    """Afterwards everything opens with the new key alone, and what was copied before does not."""
    vault.grant(["NPM_TOKEN"])
    before, sealed = again(vault).read(), vault.file.read_bytes()
    key = (vault.file.parent / KEY_FILE).read_bytes() if vault._passphrase is None else b""
    vault.rotate(vault._passphrase)
    assert before == again(vault).read() == vault.read()
    if vault._passphrase is None:
        assert key != (vault.file.parent / KEY_FILE).read_bytes()
        vault.file.write_bytes(sealed)
        with pytest.raises(OperatorError, match="damaged"):
            again(vault).read()
    else:
        assert sealed[:80] != vault.file.read_bytes()[:80]


def test_from_a_key_to_a_passphrase_and_back(folder: Path) -> None:
    """Rotation changes how the vault is locked; the other lock is gone then."""
    vault = Vault(folder)
    vault.set({"X": SECRET})
    vault.rotate(PHRASE)
    assert not (folder / KEY_FILE).exists()
    assert SECRET == vault.get("X") == Vault(folder, PHRASE).get("X")
    vault.rotate()
    assert SECRET == Vault(folder).get("X")


# ---------------------------------------------------------------------- crashes and company

CHANGES = {
    "set": lambda vault: vault.set({"NEW": "a new value"}),
    "remove": lambda vault: vault.remove(["NPM_TOKEN"]),
    "rotate": lambda vault: vault.rotate(),
    "rotate to a passphrase": lambda vault: vault.rotate(PHRASE),
}


class Killed(BaseException):
    """The moment at which the process is gone."""


def crashes(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """The process dies at its moment-th change of the disk: even ones before it, odd ones right after it."""
    made = iter(range(1000))

    def dying(change: str) -> None:
        real = getattr(Path, change)

        def act(path: Path, *arguments: object, **options: object) -> object:
            if path.name == "lock" or next(made) != moment // 2:
                return real(path, *arguments, **options)
            if moment % 2:
                real(path, *arguments, **options)
            raise Killed

        monkeypatch.setattr(Path, change, act)

    for change in ("replace", "unlink"):
        dying(change)


@pytest.mark.parametrize("change", CHANGES)
def test_a_crash_leaves_the_vault_as_before_or_as_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """At whatever moment a change is cut off, the vault opens, complete, and takes the change when it is repeated."""
    before = {"OPENAI_API_KEY": SECRET, "NPM_TOKEN": "npm-token-value"}
    moment, completed = 0, False
    while not completed:
        vault = Vault(tmp_path / str(moment))
        vault.set(before)
        with monkeypatch.context() as patch:
            crashes(patch, moment)
            try:
                CHANGES[change](Vault(vault.file.parent))
                completed = True
            except Killed:
                pass
        seen = values(Vault(vault.file.parent, PHRASE))
        assert seen in (before, before | {"NEW": "a new value"}, {"OPENAI_API_KEY": SECRET})
        (vault.file.parent / ".draft-of-a-killed-writer").write_text("half a vault")
        repeated = Vault(vault.file.parent, PHRASE)
        CHANGES[change if "NPM_TOKEN" in seen else "set"](repeated)
        assert not list(vault.file.parent.glob(".draft*"))
        moment += 1
    assert moment > 2


WRITER = """
import sys
from pathlib import Path
from ops.vault.vault import Vault
vault = Vault(Path(sys.argv[1]))
for number in range(10_000):
    vault.set({f"{sys.argv[2]}_{number}": f"value {number}"})
    if number % 3 == 2:
        vault.rotate()
    print(number, flush=True)
    if number == int(sys.argv[3]):
        break
"""


def writer(folder: Path, name: str, last: int) -> "subprocess.Popen[str]":
    """A process that stores value after value, rotates now and then, and says what it has stored."""
    command = [sys.executable, "-P", "-c", WRITER, str(folder), name, str(last)]
    return subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def processes() -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes that do not outlive the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_time(folder: Path, processes: list["subprocess.Popen[str]"], seed: int) -> None:
    """kill -9 in the middle of storing and rotating: what was acknowledged is there, and the next one goes on."""
    chance = random.Random(seed)
    for name in ("FIRST", "SECOND"):
        process = writer(folder, name, 9_999)
        processes.append(process)
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(chance.randrange(2, 12))]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.communicate()[0].splitlines(keepends=True)
        stored = values(Vault(folder))
        for number in range(len([line for line in acknowledged if line.endswith("\n")])):
            assert f"value {number}" == stored[f"{name}_{number}"]


def test_two_processes_at_once(folder: Path, processes: list["subprocess.Popen[str]"]) -> None:
    """Two that store and rotate at the same time lose nothing, and whoever reads meanwhile always can."""
    processes += [writer(folder, name, 20) for name in ("ONE", "TWO")]
    reader = Vault(folder)
    while any(process.poll() is None for process in processes):
        reader.read()
    assert [0, 0] == [process.returncode for process in processes]
    expected = {f"{name}_{number}": f"value {number}" for name in ("ONE", "TWO") for number in range(21)}
    assert expected == values(reader) == {name: entry.value for name, entry in reader.read().entries.items()}


def test_a_change_is_seen_at_once(vault: Vault) -> None:
    """However fast changes follow one another, who looks after one sees it, and what has not changed is not read."""
    other = again(vault)
    for number in range(50):
        vault.set({"OPENAI_API_KEY": f"value-{number:03}"})
        assert f"value-{number:03}" == other.get("OPENAI_API_KEY")
        assert other.read() is other.read()
    assert (vault.file.parent / FILE).read_bytes() == vault.file.read_bytes()


def test_threads_share_a_vault(vault: Vault) -> None:
    """One object, read and written by several threads, gives each of them whole answers."""
    wrong: list[object] = []

    def work(name: str) -> None:
        for number in range(10):
            vault.set({name: f"value {number}"})
            if vault.get(name) != f"value {number}" or SECRET != vault.get("OPENAI_API_KEY"):
                wrong.append((name, number))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("A", "B", "C")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
