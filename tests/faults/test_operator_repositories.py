"""Runs in every kind of repository that an operator may have: results are whole, and nothing of the operator moves."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.workspace.fitness import Unfit
from tests.faults.snapshot_case import expect_law, expect_next_run_is_clean, play
from tests.support.operator_repository import prepare_project, run_git

STEP = "test -f src/app.py; echo mas >> src/app.py; echo x > new; git log --oneline | cat; git status --short"
Prepare = Callable[[Path], Path]  # makes a repository below a folder, and says where


def _origin(folder: Path) -> Path:
    origin = folder / "origin"
    prepare_project(origin)
    run_git(origin, "config", "uploadpack.allowFilter", "true")
    run_git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    return origin


def _cloned(folder: Path, *options: str) -> Path:
    project = folder / "project"
    run_git(folder, "clone", "--quiet", *options, f"file://{_origin(folder)}", str(project))
    return project


def _prepared(folder: Path, *commands: tuple[str, ...]) -> Path:
    project = folder / "project"
    prepare_project(project)
    for command in commands:
        run_git(project, *command)
    return project


def _borrowing(folder: Path) -> Path:
    project = folder / "project"
    run_git(folder, "clone", "--quiet", "--shared", str(_origin(folder)), str(project))
    return project


def _linked_worktree(folder: Path) -> Path:
    main = _origin(folder)
    run_git(main, "worktree", "add", "--quiet", str(folder / "project"), "-b", "linked")
    return folder / "project"


def _separate_git_directory(folder: Path) -> Path:
    project = _prepared(folder)
    run_git(project, "init", "--quiet", f"--separate-git-dir={folder / 'elsewhere.git'}")
    return project


def _at(name: bytes) -> Prepare:
    def prepare(folder: Path) -> Path:
        project = folder / os.fsdecode(name)
        prepare_project(project)
        return project

    return prepare


def _sha256(folder: Path) -> Path:
    project = folder / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "app.py").write_text("print()\n")
    run_git(project, "init", "--quiet", "--object-format=sha256", "--initial-branch=main")
    run_git(project, "add", "--all")
    run_git(project, "commit", "--quiet", "--message=first")
    return project


def _in_a_merge(folder: Path) -> Path:
    project = folder / "project"
    prepare_project(project)
    run_git(project, "stash", "--quiet")
    run_git(project, "checkout", "--quiet", "-b", "theirs")
    (project / "src" / "app.py").write_text("theirs\n")
    run_git(project, "commit", "--quiet", "--all", "--message=theirs")
    run_git(project, "checkout", "--quiet", "main")
    run_git(project, "merge", "--quiet", "--no-commit", "--no-ff", "theirs")
    return project


def _locked(folder: Path) -> Path:
    project = _prepared(folder)
    for name in ("index.lock", "HEAD.lock", "config.lock", "shallow.lock", "gc.pid"):
        (project / ".git" / name).touch()
    return project


def _with_hooks(folder: Path) -> Path:
    project = _prepared(folder)
    for name in ("post-checkout", "pre-commit", "post-commit", "reference-transaction", "pre-auto-gc", "post-merge"):
        hook = project / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\necho sprung >> {folder}/sprung\nexit 1\n")
        hook.chmod(0o755)
    return project


REPOSITORIES: dict[str, Prepare] = {
    "shallow": lambda folder: _cloned(folder, "--depth=1"),
    "without blobs": lambda folder: _cloned(folder, "--filter=blob:none"),
    "without trees": lambda folder: _cloned(folder, "--filter=tree:0"),
    "shallow, without blobs": lambda folder: _cloned(folder, "--depth=1", "--filter=blob:none"),
    "without a checkout": lambda folder: _cloned(folder, "--no-checkout"),
    "single branch": lambda folder: _cloned(folder, "--single-branch"),
    "borrowing": _borrowing,
    "linked worktree": _linked_worktree,
    "separate git directory": _separate_git_directory,
    "sparse": lambda folder: _prepared(folder, ("sparse-checkout", "set", "docs")),
    "sparse, without blobs": lambda folder: _cloned(folder, "--filter=blob:none", "--sparse"),
    "detached": lambda folder: _prepared(folder, ("checkout", "--quiet", "--detach")),
    "packed": lambda folder: _prepared(folder, ("gc", "--quiet"), ("pack-refs", "--all")),
    "commit graph": lambda folder: _prepared(folder, ("commit-graph", "write", "--reachable")),
    "replaced commit": lambda folder: _prepared(folder, ("replace", "HEAD", "HEAD~1")),
    "signing commits": lambda folder: _prepared(
        folder, ("config", "commit.gpgSign", "true"), ("config", "gpg.program", "false")
    ),
    "fsmonitor": lambda folder: _prepared(folder, ("config", "core.fsmonitor", "false")),
    "untracked cache": lambda folder: _prepared(folder, ("update-index", "--force-untracked-cache")),
    "split index": lambda folder: _prepared(folder, ("update-index", "--split-index")),
    "worktree settings": lambda folder: _prepared(
        folder, ("config", "extensions.worktreeConfig", "true"), ("config", "--worktree", "core.bare", "false")
    ),
    "hooks path": lambda folder: _prepared(folder, ("config", "core.hooksPath", "/nowhere")),
    "private umask": lambda folder: _prepared(folder, ("config", "core.sharedRepository", "0600")),
    "hidden refs": lambda folder: _prepared(folder, ("config", "transfer.hideRefs", "refs/heads")),
    "strict about objects": lambda folder: _prepared(folder, ("config", "transfer.fsckObjects", "true")),
    "a remote by default": lambda folder: _prepared(
        folder, ("config", "remote.pushDefault", "x"), ("config", "checkout.defaultRemote", "x")
    ),
    "reflogs always": lambda folder: _prepared(folder, ("config", "core.logAllRefUpdates", "always")),
    "no unreachable objects": lambda folder: _prepared(folder, ("config", "gc.pruneExpire", "now")),
    "in a merge": _in_a_merge,
    "with hooks": _with_hooks,
    "stale locks": _locked,
    "spaces and quotes": _at(b'my "pro\'ject" $HOME'),
    "colon": _at(b"a:b;c"),
    "backslash": _at(b"a\\b"),
    "octothorpe": _at(b"#a"),
    "not UTF-8": _at(b"caf\xe9"),
    "accents": _at("proyecto-ñandú".encode()),
    "leading dash": _at(b"-project"),
}


@pytest.mark.parametrize("prepare", REPOSITORIES.values(), ids=list(REPOSITORIES))
async def test_run_in_this_repository(tmp_path: Path, prepare: Prepare) -> None:
    """A run finds the committed files, its result is whole and lies here, and the operator's own work is untouched."""
    project = prepare(tmp_path)
    result = await play(tmp_path, STEP, project=project)
    assert result.is_done, result.error
    assert ["new", "src/app.py"] == sorted(change.path for change in result.event.file_changes)
    await expect_law(result)
    run_git(project, "-c", "transfer.hideRefs=", "fsck", "--no-dangling", "--no-progress")
    await expect_next_run_is_clean(result, tmp_path)


async def test_other_object_format(tmp_path: Path) -> None:
    """A repository of the SHA-256 format is as good."""
    result = await play(tmp_path, STEP, project=_sha256(tmp_path))
    assert result.is_done, result.error
    assert "x" == result.show("new")
    await expect_law(result, normalised=True)


async def test_stale_lock_of_refs_is_named(tmp_path: Path) -> None:
    """A lock that a killed git left on the operator's refs is named; once it is removed, runs work again."""
    project = _prepared(tmp_path)
    lock = project / ".git" / "packed-refs.lock"
    lock.touch()
    result = await play(tmp_path, STEP, project=project)
    assert result.is_done or "packed-refs.lock" in result.error
    lock.unlink()
    await expect_next_run_is_clean(result, tmp_path)


UNUSABLE: dict[str, Prepare] = {
    "bare": lambda folder: _cloned(folder, "--bare"),
    "mirror": lambda folder: _cloned(folder, "--mirror"),
    "line break in its path": _at(b"a\nb"),
}


@pytest.mark.parametrize("prepare", UNUSABLE.values(), ids=list(UNUSABLE))
async def test_repository_is_used_or_refused_at_once(tmp_path: Path, prepare: Prepare) -> None:
    """An unusual repository works, or makes its runner unfit, with a sentence for operators."""
    project = prepare(tmp_path)
    if "\n" in str(project):
        with pytest.raises(Unfit, match="rename the directory"):
            await play(tmp_path, STEP, project=project)
        return
    result = await play(tmp_path, STEP, project=project)
    assert result.is_done
    assert "x" == run_git(project, "show", f"{result.event.commit_hash}:new")


CONVERSIONS: dict[str, tuple[dict[str, str], str, bytes, str]] = {
    # settings, .gitattributes, what a step writes, what the commit has to hold
    "autocrlf": ({"core.autocrlf": "true"}, "", b"a\r\nb\r\n", "a\nb"),
    "autocrlf input": ({"core.autocrlf": "input"}, "", b"a\r\nb\r\n", "a\nb"),
    "attributes": ({}, "*.txt text eol=crlf\n", b"a\r\nb\r\n", "a\nb"),
    "filter": (
        {"filter.up.clean": "tr a-z A-Z", "filter.up.smudge": "tr A-Z a-z"},
        "*.txt filter=up\n",
        b"abc\n",
        "ABC",
    ),
    "required filter": (
        {"filter.up.clean": "tr a-z A-Z", "filter.up.smudge": "tr A-Z a-z", "filter.up.required": "true"},
        "*.txt filter=up\n",
        b"abc\n",
        "ABC",
    ),
}


@pytest.mark.parametrize("name", CONVERSIONS)
async def test_operators_conversions_hold(tmp_path: Path, name: str) -> None:
    """Line ends and filters that the operator has configured are applied to a run's files, as in his own checkout."""
    settings, attributes, content, expected = CONVERSIONS[name]
    project = tmp_path / "project"
    prepare_project(project)
    (project / ".gitattributes").write_text(attributes)
    run_git(project, "add", ".gitattributes")
    run_git(project, "commit", "--quiet", "--message=attributes", "--", ".gitattributes")
    for key, value in settings.items():
        run_git(project, "config", key, value)
    (tmp_path / "content").write_bytes(content)
    result = await play(tmp_path, f"cp {tmp_path}/content f.txt", project=project)
    assert result.is_done, result.error
    assert expected == result.show("f.txt")
    await expect_law(result, normalised=True)


async def test_mixed_line_ends_with_safecrlf(tmp_path: Path) -> None:
    """A file whose line ends the operator's core.safecrlf refuses is recorded all the same, or named."""
    project = _prepared(tmp_path, ("config", "core.safecrlf", "true"), ("config", "core.autocrlf", "input"))
    result = await play(tmp_path, r"printf 'a\r\nb\n' > mixed; echo x > beside", project=project)
    assert "beside" in result.tree
    await expect_law(result)


def _with_submodule(folder: Path) -> Path:
    """A project with a submodule at `module`, which a run does not find checked out."""
    module = folder / "module"
    prepare_project(module)
    return _prepared(
        folder,
        ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(module), "module"),
        ("commit", "--quiet", "--message=module"),
    )


async def test_submodule_is_whole_or_refused(tmp_path: Path) -> None:
    """Work inside a submodule is part of the result, or fails the run with a sentence that names the submodule."""
    result = await play(
        tmp_path, "mkdir -p module; echo x > module/new; echo y > beside", project=_with_submodule(tmp_path)
    )
    assert "module" in result.error or result.names("module/new") or "module/new" in result.tree
    await expect_law(result)


async def test_run_beside_a_submodule(tmp_path: Path) -> None:
    """A run that leaves a submodule alone is done, and the submodule stays at its commit."""
    result = await play(tmp_path, "echo y > beside", project=_with_submodule(tmp_path))
    assert result.is_done, result.error
    assert ["beside"] == [change.path for change in result.event.file_changes]
    await expect_law(result)


BRANCHES = ["HEAD", "x" * 300, "-x", "a..b", "x.lock", "refs/heads/x", "task", "@", "a b", "main/x", "ñ"]


@pytest.mark.parametrize("branch", BRANCHES)
async def test_branch_that_cannot_be_costs_one_attempt(tmp_path: Path, branch: str) -> None:
    """A branch that git can never make is refused with a sentence, and not tried again."""
    result = await play(tmp_path, "echo x > new", branch=branch)
    if result.is_done:
        await expect_law(result, f"refs/heads/{branch}")
    else:
        assert not result.retry, result.error
        await expect_law(result)


async def test_branch_called_task_is_in_nobodys_way(tmp_path: Path) -> None:
    """An operator's branch `task` keeps git from making task/T1: the run works all the same, or says so at once."""
    result = await play(tmp_path, "echo x > new", project=_prepared(tmp_path, ("branch", "task")))
    assert result.is_done or not result.retry, result.error
    await expect_law(result)
