"""A place to work for every run, and what came of it."""

import asyncio
import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from events.errors import Conflict
from events.run_state import RunState
from runner.git import _OPTIONS, GitFailed
from runner.redact import Redactor
from runner.workspace import WorkspacePolicy, Workspaces
from runner.workspace.branch_claim import note_ref
from runner.workspace.changes import PATCH_LIMIT, Changes
from runner.workspace.repository import BranchUnusable, WorkspaceUnusable
from runner.workspace.run_directory import acquire, safe_name
from tests.runner.conftest import GitCommand, all_objects, run_git
from tests.runner.recording import SECRET
from tests.support.waiting import eventually

REDACTOR = Redactor([SECRET])


def workspaces(root: Path, repository: Path | None, **policy: Any) -> Workspaces:
    """Workspaces below `root`."""
    return Workspaces(root / "runs", repository, dict(os.environ), WorkspacePolicy(**policy))


def run_script(script: str, directory: Path) -> None:
    """Run a script, or fail."""
    subprocess.run(["/bin/sh", "-ec", script], cwd=directory, check=True, capture_output=True)


DONE = RunState("done", "T1")
FAILED = RunState("failed", "T1")


class Runs(dict[int, RunState]):
    """What a log says of runs, as a test has it."""

    async def run_state(self, run_id: int) -> RunState | None:
        return self.get(run_id)


async def change(
    places: Workspaces,
    script: str,
    task_id: str = "T1",
    run_id: int = 7,
    state: RunState | None = DONE,
    branch: str | None = None,
) -> Changes:
    """Run a script in a workspace of its own, record what it changed, and end as the log says."""
    async with places.open(task_id, run_id, branch) as workspace:
        run_script(script, workspace.directory)
        changes = await workspace.snapshot("a message", REDACTOR)
        if state is not None:
            await workspace.finish(state)
        return changes


def counted(changes: Changes) -> list[tuple[str, str, int | None, int | None]]:
    """Every change with its line counts."""
    return [(file.path, file.change, file.added, file.removed) for file in changes.files]


async def test_every_kind_of_change_is_counted(tmp_path: Path, repository: Path) -> None:
    """Added (untracked too), modified, deleted and binary files are told with their line counts."""
    script = r"printf 'x\ny\n' > new; echo three >> README.md; rm src/app.py; printf 'a\0b' > data.bin"
    changes = await change(workspaces(tmp_path, repository), script)
    assert sorted(counted(changes)) == [
        ("README.md", "modified", 1, 0),
        ("data.bin", "added", None, None),
        ("new", "added", 2, 0),
        ("src/app.py", "deleted", 0, 1),
    ]


async def test_a_rename_names_both_paths(tmp_path: Path, repository: Path) -> None:
    """A moved file is one change that knows where it came from."""
    [moved] = (await change(workspaces(tmp_path, repository), "mv README.md LIESMICH.md")).files
    assert (moved.change, moved.path, moved.renamed_from) == ("renamed", "LIESMICH.md", "README.md")


async def test_odd_file_names_arrive_as_they_are(tmp_path: Path, repository: Path) -> None:
    """Spaces, tabs, newlines, quotes, colons and accents survive; invalid UTF-8 is escaped, so names stay different."""
    names = ["a b", "tab\there", "new\nline", 'quo"te', ":100644 colon", "ñandú", "-dash", "{a => b}"]
    places = workspaces(tmp_path, repository)
    async with places.open("T1", 7) as workspace:
        for name in [*names, os.fsdecode(b"bad\xff")]:
            (workspace.directory / name).write_text("x\n")
        changes = await workspace.snapshot("odd", REDACTOR)
    assert {file.path for file in changes.files} == {*names, "bad\\xff"}
    assert {(file.change, file.added) for file in changes.files} == {("added", 1)}


async def test_ignored_files_do_not_count(tmp_path: Path, repository: Path) -> None:
    """What .gitignore names is neither committed nor told."""
    changes = await change(workspaces(tmp_path, repository), "echo junk > .gitignore; echo x > junk")
    assert [file.path for file in changes.files] == [".gitignore"]


async def test_the_patch_is_redacted_and_bounded(tmp_path: Path, repository: Path) -> None:
    """A secret does not reach the patch, and a huge patch is cut and says so."""
    places = workspaces(tmp_path, repository, committed_secrets="allow")
    small = await change(places, f"echo {SECRET} > config", "T1")
    large = await change(places, "seq 1 400000 > numbers", "T2", 8)
    assert SECRET not in small.patch
    assert "+[redacted]" in small.patch
    assert "config | 1 +" in small.diffstat
    assert PATCH_LIMIT < len(large.patch) < PATCH_LIMIT + 100
    assert large.patch.endswith("characters are kept]\n")


@pytest.mark.parametrize(
    "script",
    [
        f"echo {SECRET} > config",
        f"printf '\\0{SECRET}' > data.bin",
        f"touch {SECRET}",
        f"git -c user.name=A -c user.email=a@b commit --quiet --allow-empty --message={SECRET}",
    ],
    ids=["content", "binary", "name", "message"],
)
async def test_a_stored_secret_is_not_committed(tmp_path: Path, repository: Path, git: GitCommand, script: str) -> None:
    """Nothing of the run reaches the operator's repository, the problem names the place, and the work is kept aside."""
    places = workspaces(tmp_path, repository)
    changes = await change(places, script, state=FAILED)
    [problem] = changes.problems
    assert "would commit a stored secret" in problem
    assert SECRET not in problem
    assert changes.commit_hash is None
    assert changes.kept_path == str(tmp_path / "kept" / "T1.7")
    assert git("for-each-ref", "refs/elruso", "refs/heads/task") == ""
    assert SECRET.encode() not in all_objects(repository)
    await places.close()


async def test_what_the_operator_has_committed_may_be_merged(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """A stored value on another branch of the operator's is no news to his repository."""
    git("switch", "--quiet", "-c", "feature")
    (repository / "app.env").write_text(f"KEY={SECRET}\n")
    git("add", "--all")
    git("commit", "--quiet", "--message=feature")
    git("switch", "--quiet", "main")
    merge = "echo y > own; git add own; git -c user.name=A -c user.email=a@b commit -qm own"
    merge += "; git -c user.name=A -c user.email=a@b merge --quiet --no-edit feature"
    changes = await change(workspaces(tmp_path, repository), merge)
    assert changes.problems == []
    assert git("show", "task/T1:app.env") == f"KEY={SECRET}"


async def test_the_result_is_a_commit_on_the_branch_of_the_task(
    tmp_path: Path, repository: Path, git: GitCommand
) -> None:
    """The branch stays when the worktree goes; its commit is El Ruso's; the main checkout is untouched."""
    changes = await change(workspaces(tmp_path, repository), "echo x > new")
    assert git("rev-parse", "task/T1") == changes.commit_hash
    assert git("log", "-1", "--format=%an|%s|%P", "task/T1") == f"El Ruso|a message|{git('rev-parse', 'main')}"
    assert git("status", "--porcelain") == ""
    assert list((tmp_path / "runs").iterdir()) == []


async def test_no_change_is_no_commit(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """A run that changes nothing has no commit, and makes no branch."""
    changes = await change(workspaces(tmp_path, repository), "true")
    assert (changes.files, changes.commit_hash) == ([], None)
    assert git("for-each-ref", "refs/heads/task") == ""


async def test_hooks_never_run(tmp_path: Path, repository: Path) -> None:
    """Neither checkout nor commit runs a hook of the repository."""
    for hook in ("post-checkout", "pre-commit", "prepare-commit-msg", "post-commit", "reference-transaction"):
        path = repository / ".git" / "hooks" / hook
        path.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
        path.chmod(0o755)
    await change(workspaces(tmp_path, repository), "echo x > new")
    assert not (tmp_path / "hooked").exists()


async def test_a_failed_run_leaves_the_branch_and_keeps_its_commit(
    tmp_path: Path, repository: Path, git: GitCommand
) -> None:
    """The next attempt finds what this one found, and what this one did can still be looked at."""
    places = workspaces(tmp_path, repository)
    first = await change(places, "echo x > new", run_id=7, state=FAILED)
    assert git("for-each-ref", "refs/heads/task") == ""
    assert git("rev-parse", "refs/elruso/runs/7") == first.commit_hash
    second = await change(places, "test ! -e new; echo y > new", run_id=9)
    assert git("rev-parse", "task/T1") == second.commit_hash
    assert git("for-each-ref", "refs/elruso/active", "refs/elruso/results") == ""


async def test_a_second_run_continues_on_the_branch(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """After a success, another run of the task starts from its result and tells its own changes only."""
    places = workspaces(tmp_path, repository)
    await change(places, "echo x > first", run_id=7)
    again = await change(places, "test -e first; echo y > second", run_id=9)
    assert [file.path for file in again.files] == ["second"]
    assert git("rev-list", "--count", "main..task/T1") == "2"


async def test_a_branch_with_nothing_of_its_own_follows_the_main_checkout(
    tmp_path: Path, repository: Path, git: GitCommand
) -> None:
    """When the operator repairs the main checkout, the next attempt starts from the repaired state."""
    places = workspaces(tmp_path, repository)
    await change(places, "echo x > new", run_id=7, state=FAILED)
    (repository / "repaired").touch()
    git("add", "--all")
    git("commit", "--message=repair")
    await change(places, "test -e repaired", run_id=9)


async def test_what_the_steps_committed_themselves_counts(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """Commits of a step, and a branch it switched to, end up on the branch of the task."""
    script = (
        "git checkout -qb other; echo x > a; git add a; git -c user.name=A -c user.email=a@b commit -qm own; echo y > b"
    )
    changes = await change(workspaces(tmp_path, repository), script)
    assert sorted(file.path for file in changes.files) == ["a", "b"]
    assert git("ls-tree", "--name-only", "task/T1", "a", "b").split() == ["a", "b"]


@pytest.mark.parametrize("more", ["true", "echo x > more"])
async def test_a_malformed_commit_of_the_steps_costs_its_history_only(
    tmp_path: Path, repository: Path, git: GitCommand, more: str
) -> None:
    """The repository takes no commit without a space before its author's address; the files it takes."""
    text = r"tree %s\nparent %s\nauthor <> 0 +0000\ncommitter x <x> 0 +0000\n\nm\n"
    commit = f"printf '{text}' $(git write-tree) $(git rev-parse HEAD)"
    made = f"git reset --soft $({commit} | git hash-object --literally -t commit -w --stdin)"
    changes = await change(workspaces(tmp_path, repository), f"echo x > new; git add new; {made}; {more}")
    assert git("show", "task/T1:new") == "x"
    assert [("history", ".git")] == [(each.reason, each.path) for each in changes.unrecorded]


async def test_a_killed_run_leaves_nothing_that_disturbs_the_next(
    tmp_path: Path, repository: Path, git: GitCommand
) -> None:
    """The note of a run that was killed in its steps goes when the log says that the run has ended."""
    places, runs = workspaces(tmp_path, repository), Runs()
    places.set_run_lookup(runs)
    runs[7] = RunState("running", "T1")
    await _kill_in_its_steps(places, "echo half > half", 7)
    runs[7] = RunState("requeued", "T1")
    changes = await change(places, "test ! -e half; echo x > new", run_id=9)
    assert [file.path for file in changes.files] == ["new"]
    assert git("for-each-ref", "refs/elruso") == ""
    await places.close()


async def test_a_branch_waits_until_the_log_has_decided(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """While a run is not ended, the next one on its branch waits; once it is done, the next one finds its commit."""
    places, runs = workspaces(tmp_path, repository), Runs()
    places.set_run_lookup(runs)
    runs[7] = RunState("running", "T1")
    async with places.open("T1", 7, "shared") as workspace:
        run_script("echo x > first", workspace.directory)
        await workspace.snapshot("first", REDACTOR)  # and then the runner learns nothing of its report's fate
    following = asyncio.create_task(change(places, "test -e first; echo y > second", "T2", 8, branch="shared"))
    await eventually(lambda: git("for-each-ref", "refs/elruso/active") != "", describe="the note of the first run")
    assert not following.done()
    assert git("for-each-ref", "refs/heads/shared") == ""
    runs[7] = RunState("done", "T1")
    await following
    assert git("rev-list", "--count", "main..shared") == "2"
    await places.close()


async def test_the_branch_moves_only_after_the_log_accepted_the_end(
    tmp_path: Path, repository: Path, git: GitCommand
) -> None:
    """Until then the result lies under a ref of its own; a run that lost its fence leaves the branch alone."""
    places = workspaces(tmp_path, repository)
    async with places.open("T1", 7) as workspace:
        run_script("echo x > new", workspace.directory)
        changes = await workspace.snapshot("a message", REDACTOR)
        assert git("for-each-ref", "refs/heads/task") == ""
        assert git("for-each-ref", "--format=%(objectname)", "refs/elruso/results") == changes.commit_hash
        await workspace.finish(RunState("requeued", "T1"))
    assert git("for-each-ref", "refs/heads/task") == ""
    assert git("rev-parse", "refs/elruso/runs/7") == changes.commit_hash


async def test_a_stale_lock_delays_a_branch_and_no_outcome(
    tmp_path: Path, repository: Path, git: GitCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed git left on the branch is in nobody's way until the branch moves, which is tried again."""
    monkeypatch.setattr("runner.git._OPTIONS", [*_OPTIONS, "-c", "core.filesRefLockTimeout=100"])
    places = workspaces(tmp_path, repository)
    places.set_run_lookup(Runs({7: DONE}))
    lock = repository / ".git/refs/heads/task/T1.lock"
    lock.parent.mkdir()
    lock.touch()
    with pytest.raises(GitFailed, match="File exists"):
        await change(places, "echo x > new")
    lock.unlink()
    await eventually(lambda: git("for-each-ref", "refs/elruso") == "")
    assert git("show", "task/T1:new") == "x"
    await places.close()


async def test_two_logs_with_the_same_run_id_share_a_repository(
    tmp_path: Path, repository: Path, git: GitCommand
) -> None:
    """Two instances number their runs alike, and every result arrives on its own branch, or is kept."""
    here, there = workspaces(tmp_path / "here", repository), workspaces(tmp_path / "there", repository)
    for state in (DONE, FAILED):
        async with here.open("A", 7) as first, there.open("B", 7) as second:
            for name, workspace in (("a", first), ("b", second)):
                run_script(f"echo {state.status} > {name}", workspace.directory)
            changes = [await workspace.snapshot("a message", REDACTOR) for workspace in (first, second)]
            for workspace, change in zip((first, second), changes, strict=True):
                await workspace.finish(structs.replace(state, commit_hash=change.commit_hash))
        if state is DONE:
            assert [git("show", "task/A:a"), git("show", "task/B:b")] == ["done", "done"]
    kept = git("for-each-ref", "--format=%(objectname)", "refs/elruso/runs").split()
    assert {change.commit_hash for change in changes} == set(kept)


async def test_a_crash_between_the_log_and_the_branch_is_made_good(
    tmp_path: Path, repository: Path, git: GitCommand
) -> None:
    """The next runner finds the note, asks the log, and moves the branch."""
    places = workspaces(tmp_path, repository)
    changes = await change(places, "echo x > new", state=None)
    await places.close()
    again, runs = workspaces(tmp_path, repository), Runs({7: DONE})
    again.set_run_lookup(runs)
    await again.recover()
    await eventually(lambda: git("for-each-ref", "refs/elruso") == "", describe="the note of the first runner")
    assert git("rev-parse", "task/T1") == changes.commit_hash
    await again.close()


async def test_a_note_that_cannot_be_read_is_named(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """A note of another version is no reason to wait for ever: the error says how to remove it."""
    git("update-ref", note_ref("task/T1"), "HEAD")
    with pytest.raises(BranchUnusable, match=f"git update-ref -d {note_ref('task/T1')}"):
        await change(workspaces(tmp_path, repository), "true")


async def test_removal_problems_never_touch_history(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """A workspace that is still being written to is out of the way; the next run finds the finished commit."""
    places, stop = workspaces(tmp_path, repository), threading.Event()
    writer = None
    async with places.open("T1", 7) as workspace:
        run_script("echo x > first", workspace.directory)
        first = await workspace.snapshot("a message", REDACTOR)
        writer = threading.Thread(target=_keep_writing, args=(workspace.directory, stop))
        writer.start()
        await workspace.finish(DONE)
    second = await change(places, "test -e first; echo y > second", run_id=9)
    stop.set()
    writer.join()
    assert git("rev-parse", "task/T1^") == first.commit_hash
    assert git("rev-parse", "task/T1") == second.commit_hash
    await places.close()


def _keep_writing(directory: Path, stop: threading.Event) -> None:
    """As a daemon that a step left would: it holds the directory open and goes on wherever that is moved to."""
    descriptor = os.open(directory, os.O_RDONLY)
    number = 0
    while not stop.wait(0.001):
        number += 1
        with suppress(OSError):
            os.close(os.open(f"late-{number}", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


async def test_a_slow_checkout_needs_a_setting(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """A checkout that takes longer than a git command may says which setting to raise."""
    (repository / ".gitattributes").write_text("*.slow filter=slow\n")
    (repository / "a.slow").write_text("x\n")
    git("add", "--all")
    git("commit", "--quiet", "--message=slow")
    git("config", "filter.slow.smudge", "sleep 2; cat")
    with pytest.raises(GitFailed, match="ELRUSO_GIT_SECONDS"):
        await change(workspaces(tmp_path / "hasty", repository, git_seconds=1.0), "true")
    await change(workspaces(tmp_path / "patient", repository), "test -e a.slow")


async def _kill_in_its_steps(places: Workspaces, script: str, run_id: int) -> None:
    """What is left when a runner is killed: the note and the files, and a lock that the kernel dropped."""
    async with places.open("T1", run_id) as workspace:
        run_script(script, workspace.directory)


async def test_leftovers_are_cleared_and_the_living_are_spared(tmp_path: Path, repository: Path) -> None:
    """The directories of dead runners go; the work in them that no commit holds is kept aside."""
    places = workspaces(tmp_path, repository)
    dead = acquire(places.runs_directory, "dead", 1)
    (dead.path / "files").mkdir()
    (dead.path / "files" / "work").write_text("hours")
    os.close(dead.lock)
    async with places.open("alive", 2) as workspace:
        assert await places.recover() == 1
        assert workspace.directory.exists()
    assert not dead.path.exists()
    assert (tmp_path / "kept" / "dead.1" / "files" / "work").read_text() == "hours"
    await places.close()


async def test_what_is_kept_aside_expires(tmp_path: Path, repository: Path) -> None:
    """Work of a run that was not recorded stays for some days, and no longer."""
    places = workspaces(tmp_path, repository)
    async with places.open("T1", 7) as workspace:
        run_script("echo hours > work", workspace.directory)
    kept = tmp_path / "kept" / "T1.7"
    assert (kept / "files" / "work").read_text() == "hours\n"
    await places.recover()
    assert kept.exists()
    os.utime(kept, (0, 0))
    await places.recover()
    assert not kept.exists()
    await places.close()


async def test_a_branch_that_is_checked_out_is_refused(tmp_path: Path, repository: Path) -> None:
    """The operator's own branch is not moved under him: the error says where it is checked out and what to do."""
    places = workspaces(tmp_path, repository)
    with pytest.raises(BranchUnusable, match=r"main is checked out in .*git switch"):
        await change(places, "true", branch="main")


async def test_a_branch_that_stands_for_another_is_refused(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """A symbolic ref would move the branch behind it, which may be checked out."""
    git("symbolic-ref", "refs/heads/master", "refs/heads/main")
    before = git("rev-parse", "main")
    with pytest.raises(BranchUnusable, match="refs/heads/main"):
        await change(workspaces(tmp_path, repository), "echo x > new", branch="master")
    assert git("rev-parse", "main") == before


@pytest.mark.parametrize(
    "branch", ["-x", "a..b", "a b", "x.lock", "a/", "HEAD", "refs/heads/x", "b" * 201, "main/x", "a/" * 500 + "a"]
)
async def test_bad_branch_names_are_refused(tmp_path: Path, repository: Path, branch: str) -> None:
    """A branch that git could not make is refused before any work, and not tried again."""
    with pytest.raises(BranchUnusable, match="branch"):
        await change(workspaces(tmp_path, repository), "true", branch=branch)


async def test_a_branch_that_excludes_others_is_named(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """`task` and `task/T1` cannot both exist: the error says how to rename the one that is in the way."""
    git("branch", "task")
    with pytest.raises(BranchUnusable, match="git branch -m task task-old"):
        await change(workspaces(tmp_path, repository), "true")
    git("branch", "rel/1")
    with pytest.raises(BranchUnusable, match="git branch -m rel/1 rel-1-old"):
        await change(workspaces(tmp_path, repository), "true", branch="rel")


@pytest.mark.parametrize(("first", "second"), [("rel", "rel/1"), ("rel/1", "rel")])
async def test_a_branch_waits_for_one_that_excludes_it(
    tmp_path: Path, repository: Path, git: GitCommand, first: str, second: str
) -> None:
    """While a run works on `rel`, one on `rel/1` begins nothing whose branch could not be made when it is done."""
    places = workspaces(tmp_path, repository)
    runs = Runs({7: RunState("running", "T1")})
    places.set_run_lookup(runs)
    async with places.open("T1", 7, first) as workspace:
        run_script("echo x > new", workspace.directory)
        await workspace.snapshot("a message", REDACTOR)
        waiting = asyncio.create_task(change(places, "echo y > other", "T2", 8, branch=second))
        await eventually(lambda: any(path.name == "T2.8" for path in (tmp_path / "runs").iterdir()))
        runs[7] = DONE
        await workspace.finish(DONE)
    with pytest.raises(BranchUnusable, match=f"cannot exist beside branch {first}"):
        await waiting
    assert git("for-each-ref", "--format=%(refname)", "refs/elruso") == ""
    await places.close()


async def test_an_empty_branch_name_means_the_tasks_own(tmp_path: Path, repository: Path) -> None:
    """As without one."""
    assert workspaces(tmp_path, repository).branch_of("T1", "") == "task/T1"


async def test_many_runs_share_one_repository(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """Eight runs at once each get their worktree, their commit and their branch."""
    places = workspaces(tmp_path, repository)
    made = await asyncio.gather(*(change(places, f"echo {n} > file", f"T{n}", n) for n in range(1, 9)))
    assert [git("rev-parse", f"task/T{n}") for n in range(1, 9)] == [changes.commit_hash for changes in made]


async def test_the_same_run_twice_is_a_conflict(tmp_path: Path) -> None:
    """One run cannot be executed by two at once."""
    places = workspaces(tmp_path, None)
    async with places.open("T1", 7):
        with pytest.raises(Conflict, match="run 7"):
            async with places.open("T1", 7):
                pass


async def test_a_directory_that_is_no_repository_is_unusable(tmp_path: Path) -> None:
    """A workspace without git, without a commit, or that is no directory gives an error that says what to do."""
    plain, empty = tmp_path / "plain", tmp_path / "empty"
    plain.mkdir()
    empty.mkdir()
    run_git(empty, "init", "--quiet")
    for path, complaint in ((plain, "git init"), (empty, "no commit yet"), (tmp_path / "none", "not a directory")):
        with pytest.raises(WorkspaceUnusable, match=complaint):
            async with workspaces(tmp_path, path).open("T1", 7):
                pass
    assert list((tmp_path / "runs").iterdir()) == []


async def test_a_directory_inside_a_repository_is_a_workspace(tmp_path: Path, repository: Path) -> None:
    """Steps of a workspace below the top of its repository run in the same place of the worktree."""
    changes = await change(workspaces(tmp_path, repository / "src"), "test -e app.py; echo x > new")
    assert [file.path for file in changes.files] == ["src/new"]


async def test_a_workspace_without_its_git_is_recorded(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """When a step deletes .git, its files are recorded all the same, and no repository further up is touched."""
    run_git(tmp_path, "init", "--quiet")
    await change(workspaces(tmp_path, repository), "rm -rf .git; echo x > new")
    assert git("show", "task/T1:new") == "x"
    assert run_git(tmp_path, "ls-files") == ""


async def test_a_tree_without_permissions_is_removed(tmp_path: Path, repository: Path) -> None:
    """Directories that a step made unreadable do not stay behind."""
    places = workspaces(tmp_path, repository)
    async with places.open("T1", 7) as workspace:
        locked = workspace.directory / "locked"
        locked.mkdir()
        (locked / "file").touch()
        locked.chmod(0)
        await workspace.snapshot("a message", REDACTOR)
    assert list((tmp_path / "runs").iterdir()) == []
    await places.close()


async def test_a_lock_of_a_killed_git_is_no_obstacle(tmp_path: Path, repository: Path) -> None:
    """A step killed in the middle of a commit leaves index.lock; the snapshot is taken all the same."""
    changes = await change(
        workspaces(tmp_path, repository), "echo x > new; touch $(git rev-parse --git-path index.lock)"
    )
    assert [file.path for file in changes.files] == ["new"]


async def test_without_a_repository_a_run_gets_a_scratch_directory(tmp_path: Path) -> None:
    """What a run makes in its scratch directory is told, and then gone."""
    changes = await change(
        workspaces(tmp_path, None), r"mkdir d; printf 'x\n' > d/text; printf 'a\0' > binary; ln -s / out"
    )
    assert counted(changes) == [
        ("binary", "added", None, None),
        ("d/text", "added", 1, 0),
        ("out", "added", None, None),
    ]
    assert (changes.commit_hash, list((tmp_path / "runs").iterdir())) == (None, [])


@pytest.mark.parametrize(
    ("task_id", "name"),
    [
        ("T1.2", "T1.2"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".x", "%2Ex"),
        ("a.lock", "a%2Elock"),
        ("ñ ~", "%C3%B1%20%7E"),
    ],
)
def test_ids_become_safe_names(task_id: str, name: str) -> None:
    """Ordinary ids stay readable; what git or the file system would trip over is escaped."""
    assert safe_name(task_id) == name


@given(first=st.text(min_size=1, max_size=200), second=st.text(min_size=1, max_size=200))
def test_different_ids_have_different_names(first: str, second: str) -> None:
    """Names never collide, are never longer than a file system allows, and never leave their directory."""
    names = {safe_name(first), safe_name(second)}
    assert len(names) == len({first, second})
    assert all(len(name) <= 120 and "/" not in name and name not in (".", "..") for name in names)


@given(task_id=st.text(min_size=1, max_size=200))
def test_every_id_makes_a_valid_branch_name(task_id: str) -> None:
    """The rules of git check-ref-format hold for every safe name."""
    name = safe_name(task_id)
    assert not any(bad in name for bad in ("..", "@{", "~", "^", ":", "?", "*", "[", "\\", " ", "//"))
    assert not name.startswith(".")
    assert not name.endswith((".", ".lock"))
    assert name.isascii()
    assert name.isprintable()
