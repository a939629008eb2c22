"""A working copy is handed on to the next run only if it is as a fresh checkout would be."""

import subprocess
from pathlib import Path

import pytest

from runner.execute import execute
from runner.workspace.survey import attributes_of
from tests.runner.conftest import GitCommand, run_git
from tests.runner.recording import claim, context
from tests.runner.test_workspace import REDACTOR, change, run_script, workspaces


async def test_what_a_step_mounted_is_not_removed(tmp_path: Path, repository: Path) -> None:
    """A bind mount that a step forgot shows somebody's files; they go neither with the run's nor to the next run."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "file").write_text("theirs")
    places = workspaces(tmp_path, repository)
    await change(places, f"mkdir data; mount --bind {theirs} data || true; echo x > data/new")
    mounted = _mounted_below(tmp_path)
    try:
        if not mounted:
            pytest.skip("mounting needs privileges")
        await places.recover()
        assert sorted(path.name for path in theirs.iterdir()) == ["file", "new"]
        async with places.open("T2", 8) as workspace:
            assert sorted(path.name for path in workspace.directory.iterdir()) == [".git", "README.md", "src"]
    finally:
        for point in mounted:
            run_script(f"umount -l {point}", tmp_path)
        await places.close()


def _mounted_below(folder: Path) -> list[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{folder}/")]


LEFT = {
    "beside the files": "mkdir ../build; echo x > ../build/cache",
    "mode of the workspace": "chmod 1777 .",
    "attributes of the workspace": """python3 -c "import os; os.setxattr('.', 'user.x', b'y')" || true""",
    "folders of before": "mv {before}/hollow .",
    "pipe of before": "mv {before}/piped .",
    "link of before": "rm -r src; mv {before}/src .",
    "modes of before": "rm -r src; mv {before}/closed src",
}
_LOOK = "find .. -path ../git -prune -o -path ../files/.git -prune -o -printf '%P %y %m %n\\n' | sort"


def _look(directory: Path) -> str:
    return subprocess.run(["/bin/sh", "-c", _LOOK], cwd=directory, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("script", LEFT.values(), ids=LEFT)
async def test_the_next_run_sees_nothing_of_the_one_before(tmp_path: Path, repository: Path, script: str) -> None:
    """What a run leaves beside its files, or moves in with an old change time, git does not see."""
    before = tmp_path / "before"
    run_script("mkdir -p hollow/deep piped src closed; mkfifo piped/pipe", _made(before))
    run_script(
        f"cp {repository}/src/app.py src; cp src/app.py closed; ln src/app.py linked; chmod 600 closed/*", before
    )
    places = workspaces(tmp_path, repository)
    async with places.open("T0", 6) as workspace:
        fresh = _look(workspace.directory)
    await change(places, script.format(before=before), "T1", 7)
    async with places.open("T2", 8) as workspace:
        assert fresh == _look(workspace.directory)
        assert attributes_of(before) == attributes_of(workspace.directory)
    await places.close()


async def test_the_next_run_sees_nothing_of_the_checks(tmp_path: Path, repository: Path) -> None:
    """Checks come after the snapshot, and leave things, too."""
    setup = context(tmp_path, repository)
    checks = [{"name": "check", "cmd": "mkdir hollow; mkfifo pipe; chmod 600 README.md src"}]
    for name, acceptance in (("first", {"checks": checks}), ("second", {})):
        steps = [{"name": "look", "cmd": f"{_LOOK} > {tmp_path}/{name}"}]
        await execute(claim(steps=steps, acceptance=acceptance), setup)
    assert (tmp_path / "first").read_text() == (tmp_path / "second").read_text()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def test_an_ordinary_run_hands_its_copy_on(tmp_path: Path, repository: Path) -> None:
    """Files that it did not touch are not written again."""
    places = workspaces(tmp_path, repository)
    seen = []
    for run_id in (7, 8):
        async with places.open("T1", run_id) as workspace:
            seen.append((workspace.directory / "README.md").stat().st_ino)
            run_script("mkdir -p out/deep; echo x > out/deep/new; mkdir hollow; chmod 700 src", workspace.directory)
            await workspace.snapshot("a message", REDACTOR)
    assert seen[0] == seen[1]
    await places.close()


async def test_what_the_operator_excludes_no_more_is_recorded(tmp_path: Path, repository: Path) -> None:
    """Files of his git directory go from the copy when they went from there, .git/shallow as well as info/exclude."""
    exclude = repository / ".git/info/exclude"
    places = workspaces(tmp_path, repository)
    run_script("echo '*.made' > .git/info/exclude", repository)
    await change(places, "echo x > new.made", "T1", 7)
    exclude.unlink()
    changes = await change(places, "echo x > new.made", "T2", 8)
    assert ["new.made"] == [file.path for file in changes.files]
    await places.close()


async def test_a_clone_that_got_its_whole_history_is_shallow_no_more(
    tmp_path: Path, repository: Path, git: GitCommand
) -> None:
    """With the old .git/shallow a run's merge of an old branch would seem to have nothing to do with its start."""
    git("branch", "old")
    for number in "123":
        git("commit", "--allow-empty", "--quiet", f"--message={number}")
    run_script(f"git clone -q --depth 2 --no-single-branch file://{repository} clone", tmp_path)
    clone, places = tmp_path / "clone", workspaces(tmp_path, tmp_path / "clone")
    run_script("git branch old origin/old", clone)
    await change(places, "true", "T1", 7)
    run_script("git fetch -q --unshallow", clone)
    changes = await change(places, "git merge -q main", "T2", 8, branch="old")
    assert changes.unrecorded == []
    assert run_git(clone, "merge-base", "--is-ancestor", "main", "old") == ""
    await places.close()


async def test_the_operators_attributes_file_counts(tmp_path: Path, repository: Path) -> None:
    """Files that were written by other rules are written again."""
    attributes = tmp_path / "attributes"
    run_git(repository, "config", "core.attributesFile", str(attributes))
    places = workspaces(tmp_path, repository)
    await change(places, "true", "T1", 7)
    attributes.write_text("*.md text eol=crlf\n")
    async with places.open("T2", 8) as workspace:
        assert (workspace.directory / "README.md").read_bytes() == b"one\r\ntwo\r\n"
    await places.close()
