"""No commit with a stored value reaches the operator's repository."""

import asyncio
import base64
import os
import resource
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

from runner.commit_scan import CHUNK_BYTES, FINDINGS_MAX, Finding, refusal, scan_commits
from runner.git import Git, GitFailed
from runner.redact import Redactor, SecretSearch
from tests.secrets.encoders import ENCODERS, VALUES
from tests.support.waiting import eventually

SECRET = "swordfish/Xx-42-zebra"
REDACTOR = Redactor([SECRET])
HEX = SECRET.encode().hex()


class Repository:
    """A repository with one commit, and what happens in it afterwards."""

    def __init__(self, directory: Path, object_format: str = "sha1") -> None:
        self.directory = directory
        directory.mkdir()
        self.run(f"git init -q -b main --object-format={object_format}")
        self.run("git config user.name A; git config user.email a@localhost; git config gc.auto 0")
        self.run("mkdir src; echo one > src/a.txt; git add .; git commit -qm first")
        self.base = self.run("git rev-parse HEAD")
        self.git = Git(directory, dict(os.environ))

    def run(self, script: str) -> str:
        """Run a script with the secret in its environment, or fail."""
        environment = {**os.environ, "SECRET": SECRET, "HEX": HEX, "BASE64": base64.b64encode(SECRET.encode()).decode()}
        ended = subprocess.run(
            ["/bin/sh", "-ec", script], cwd=self.directory, env=environment, check=True, capture_output=True, text=True
        )
        return ended.stdout.strip()

    async def scan(self, result: str = "HEAD", redactor: Redactor = REDACTOR) -> list[Finding]:
        """What a scan of all since the first commit finds."""
        return await scan_commits(self.git, self.base, self.run(f"git rev-parse {result}"), redactor)


@pytest.fixture
def work(tmp_path: Path) -> Repository:
    """A repository to commit to."""
    return Repository(tmp_path / "work")


COMMIT = "git add -A; git commit -qm second --allow-empty"
LEAKS = {
    "file": (f'echo "key=$SECRET" > src/b.txt; {COMMIT}', "src/b.txt"),
    "changed file": (f'echo "$SECRET" >> src/a.txt; {COMMIT}', "src/a.txt"),
    "binary file": (f'(head -c 70000 /dev/zero; printf "\\377$SECRET\\000") > b.bin; {COMMIT}', "b.bin"),
    "base64": (f'echo "$BASE64" > b.txt; {COMMIT}', "b.txt"),
    "symlink target": (f'ln -s "/x/$SECRET" link; {COMMIT}', "link"),
    "mode 755": (f'echo "$SECRET" > b.sh; chmod +x b.sh; {COMMIT}', "b.sh"),
    "file that is gone": (f'echo "$SECRET" > gone.txt; {COMMIT}; git rm -q gone.txt; {COMMIT}', "gone.txt"),
    "path": (f'mkdir -p "d/$SECRET"; echo x > "d/$SECRET/f"; {COMMIT}', "d/[redacted]/f"),
    "path in a message": ('git commit -q --allow-empty -m "third: $SECRET"', "commit message of {HEAD}"),
    "author": ('git commit -q --allow-empty -m x --author="$SECRET <a@localhost>"', "commit message of {HEAD}"),
    "committer": ('git -c user.email="$SECRET" commit -q --allow-empty -m x', "commit message of {HEAD}"),
    "merged branch": (
        f'git checkout -qb side; echo "$SECRET" > side.txt; {COMMIT}; git checkout -q main; git merge -q --no-ff side',
        "side.txt",
    ),
    "orphan": (f'git checkout -q --orphan other; echo "$SECRET" > o.txt; {COMMIT}', "o.txt"),
    "packed": (f'echo "$SECRET" > p.txt; {COMMIT}; git repack -qad', "p.txt"),
    "name with a line feed": (f'echo "$SECRET" > "$(printf "a\\nb")"; {COMMIT}', "a"),
}


@pytest.mark.parametrize(("script", "where"), LEAKS.values(), ids=LEAKS.keys())
async def test_a_stored_value_is_found_wherever_it_is_committed(work: Repository, script: str, where: str) -> None:
    """The place is named, and the value is not."""
    work.run(script)
    findings = await work.scan()
    assert where.format(HEAD=work.run("git rev-parse HEAD")) in [finding.where for finding in findings]
    assert not [finding for finding in findings if SECRET in finding.where]
    assert SECRET not in refusal(findings)


async def test_every_form_is_found_in_a_commit(work: Repository) -> None:
    """Each value in each form, in a file of its own."""
    names = {
        value: {f"{number}-{index}" for index in range(len(ENCODERS))} for number, value in enumerate(VALUES.values())
    }
    for value, files in names.items():
        for name, encode in zip(sorted(files), ENCODERS.values(), strict=True):
            (work.directory / name).write_text(f"{name}: {encode(value)}\n")  # the same content twice is one object
    (work.directory / "utf16").write_bytes(f"password: {SECRET}".encode("utf-16"))
    work.run(COMMIT)
    for value, files in names.items():
        assert files == {finding.where for finding in await work.scan(redactor=Redactor([value]))}
    assert await work.scan() == [Finding("content", "utf16")]


async def test_a_tag_message_is_found(work: Repository) -> None:
    """An annotated tag is an object of its own."""
    work.run('git tag -a v1 -m "the key is $SECRET"')
    [finding] = await work.scan("refs/tags/v1")
    assert finding == Finding("tag", f"tag message of {work.run('git rev-parse refs/tags/v1')}")


async def test_a_renamed_file_has_its_name_scanned(work: Repository) -> None:
    """Its content is not new, so git lists no object under the new name."""
    work.run(f"git mv src/a.txt src/$HEX; {COMMIT}")
    assert await work.scan() == [Finding("name", "src/[redacted]")]


async def test_commits_without_a_stored_value_pass(work: Repository) -> None:
    """The shapes of keys count for nothing: repositories hold test keys."""
    work.run(f"echo sk-proj-Abcdefghij0123456789klmno > src/b.txt; mkdir d; touch d/e; {COMMIT}")
    assert await work.scan() == []
    assert await scan_commits(work.git, work.base, work.base, REDACTOR) == []


async def test_what_the_base_holds_already_is_not_new(tmp_path: Path) -> None:
    """A file that held the value before may change; a second file may not get it, nor this one another value."""
    work = Repository(tmp_path / "work")
    work.run(f'echo "$SECRET" > old.txt; {COMMIT}')
    work.base = work.run("git rev-parse HEAD")
    work.run(f"echo more >> old.txt; {COMMIT}")
    assert await work.scan() == []
    work.run(f'echo "x $SECRET" > new.txt; {COMMIT}')
    assert await work.scan() == [Finding("content", "new.txt")]
    assert await work.scan(redactor=Redactor(["something else"])) == []
    work.run(f"echo other-value-99 >> old.txt; {COMMIT}")
    assert Finding("content", "old.txt") in await work.scan(redactor=Redactor([SECRET, "other-value-99"]))


async def test_the_author_of_the_base_is_not_new(work: Repository) -> None:
    """An address that is stored (of a mail account, say) and is the operator's stands in every commit of his."""
    work.run(f"echo x > new; {COMMIT}")
    assert [] == await work.scan(redactor=Redactor(["a@localhost"]))
    work.run("git commit -q --allow-empty -m $SECRET")
    assert ["commit"] == [each.kind for each in await work.scan(redactor=Redactor(["a@localhost", SECRET]))]


@pytest.mark.parametrize(
    "hide",
    [
        "git replace $(git rev-parse HEAD~1:b.txt) $(git rev-parse HEAD:src/a.txt)",
        "git replace HEAD $(git commit-tree HEAD^{tree} -p HEAD~2 -m clean)",
        "echo $(git rev-parse HEAD HEAD~2) > .git/info/grafts",
    ],
    ids=["blob", "commits", "grafts"],
)
async def test_what_a_step_replaces_is_read_as_it_is(work: Repository, hide: str) -> None:
    """`git fetch` transfers the objects themselves, not what a step says should be seen in their place."""
    work.run(f'echo "$SECRET" > b.txt; {COMMIT}; echo gone > b.txt; {COMMIT}; {hide}')
    assert Finding("content", "b.txt") in await work.scan("main")


async def test_without_a_base_everything_is_scanned(work: Repository) -> None:
    """A repository without a first commit has nothing to compare with."""
    work.run(f'echo "$SECRET" > src/b.txt; {COMMIT}')
    work.base = ""
    assert await work.scan() == [Finding("content", "src/b.txt")]


async def test_ids_of_sha256_are_read(tmp_path: Path) -> None:
    """The length of an id in a tree depends on the repository."""
    work = Repository(tmp_path / "work", "sha256")
    work.run(f"git mv src/a.txt src/$HEX; echo x > src/z; {COMMIT}")
    assert await work.scan() == [Finding("name", "src/[redacted]")]


async def test_a_value_across_two_chunks_is_found(work: Repository) -> None:
    """Content is read in pieces; a value may stand on their border."""
    for before in (CHUNK_BYTES - len(SECRET) // 2, 2 * CHUNK_BYTES - 1):
        (work.directory / f"{before}.txt").write_text("x" * before + SECRET + "y" * 100)
    work.run(COMMIT)
    assert len(await work.scan()) == 2


async def test_findings_are_bounded(work: Repository) -> None:
    """Many files with the value end the scan, and the sentence stays short."""
    work.run(f'for i in $(seq 150); do echo "$SECRET $i" > f$i; done; {COMMIT}')
    findings = await work.scan()
    assert len(findings) == FINDINGS_MAX
    assert "and 90 more" in refusal(findings)


async def test_a_large_blob_is_not_held_in_memory(work: Repository) -> None:
    """256 MB that nobody compresses well, with the value at their end."""
    with (work.directory / "large").open("wb") as file:
        block = bytes(range(256)) * 4096
        for _ in range(256):
            file.write(block)
        file.write(SECRET.encode())
    work.run(f"git -c core.compression=0 add -A; {COMMIT}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert await work.scan() == [Finding("content", "large")]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # kB on Linux, bytes on macOS


async def test_a_missing_object_is_a_failure(work: Repository) -> None:
    """What cannot be read is not taken for clean."""
    work.run(f'echo "$SECRET" > src/b.txt; {COMMIT}')
    blob = work.run("git rev-parse HEAD:src/b.txt")
    (work.directory / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(GitFailed):
        await work.scan()
    with pytest.raises(GitFailed):
        await scan_commits(work.git, work.base, "0" * 40, REDACTOR)


class HeldRedactor(Redactor):
    """Stops the thread of a scan at its first piece until it is released."""

    def __init__(self) -> None:
        super().__init__([SECRET])
        self.started = threading.Event()
        self.released = threading.Event()

    def search(self) -> SecretSearch:
        """A search like any other, later."""
        self.started.set()
        assert self.released.wait(60)
        return super().search()


async def test_a_cancelled_scan_ends_beside_a_running_event_loop(work: Repository) -> None:
    """Cancelling it ends git; the loop is free meanwhile."""
    (work.directory / "random").write_bytes(os.urandom(1 << 20))
    work.run(COMMIT)
    redactor = HeldRedactor()
    scan = asyncio.ensure_future(work.scan(redactor=redactor))
    assert await asyncio.to_thread(redactor.started.wait, 60)
    [process] = [child for child in psutil.Process().children() if "cat-file" in child.cmdline()]
    scan.cancel()
    with pytest.raises(asyncio.CancelledError):
        await scan
    redactor.released.set()
    await eventually(lambda: not process.is_running())
