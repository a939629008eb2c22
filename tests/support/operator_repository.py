"""An operator's repository with work in progress, and all of it that no run may change."""

import hashlib
import os
import subprocess
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

OUR_REFS = "refs/elruso/"
_IDENTITY = ("-c", "user.name=Operator", "-c", "user.email=operator@localhost", "-c", "commit.gpgsign=false")
# A run may add objects and refs of its own; everything else below .git is the operator's.
_PRIVATE = ("HEAD", "index", "config", "config.worktree", "shallow", "description", "hooks", "info", "modules")


class OperatorState(Struct, frozen=True):
    """Digests by path, the refs by name, and the worktrees that git knows."""

    files: dict[str, str]
    refs: dict[str, str]
    worktrees: list[str]


def run_git(directory: Path, *arguments: str) -> str:
    """Run git as the operator; what it prints, without the last line break. A failure raises."""
    command = ["git", "--no-optional-locks", *_IDENTITY, *arguments]
    done = subprocess.run(command, cwd=directory, capture_output=True, check=False)
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stdout.decode()}{done.stderr.decode()}"
    return os.fsdecode(done.stdout).rstrip("\n")


def prepare_project(project: Path) -> None:
    """Two commits, a second branch, a tag, a setting, a hook, and a staged, an open and an untracked change."""
    (project / "src").mkdir(parents=True)
    (project / "README.md").write_text("one\ntwo\n")
    (project / "src" / "app.py").write_text("print('hello')\n")
    (project / ".gitignore").write_text("*.log\n")
    run_git(project, "init", "--quiet", "--initial-branch=main")
    run_git(project, "add", "--all")
    run_git(project, "commit", "--quiet", "--message=first")
    run_git(project, "branch", "other")
    run_git(project, "tag", "v1")
    (project / "src" / "app.py").write_text("print('hello again')\n")
    run_git(project, "commit", "--quiet", "--all", "--message=second")
    run_git(project, "config", "operator.own", "kept")
    (project / ".git" / "hooks" / "pre-push").write_text("#!/bin/sh\nexit 0\n")
    (project / "staged.txt").write_text("staged\n")
    run_git(project, "add", "staged.txt")
    (project / "README.md").write_text("one\ntwo\nnot committed\n")
    (project / "untracked.txt").write_text("untracked\n")


def operator_state(project: Path) -> OperatorState:
    """What belongs to the operator now."""
    git_files = [path for name in _PRIVATE for path in _files_below(project / ".git" / name)]
    own_files = [path for path in _files_below(project) if path.name != ".git"]
    files = {path.relative_to(project).as_posix(): _digest(path) for path in [*git_files, *own_files]}
    listed = run_git(project, "for-each-ref", "--format=%(refname) %(objectname)")
    refs = dict(line.rsplit(" ", 1) for line in listed.splitlines())
    entries = run_git(project, "worktree", "list", "--porcelain").splitlines()
    worktrees = [line.partition(" ")[2] for line in entries if line.startswith("worktree ")]
    return OperatorState(files, {name: refs[name] for name in refs if not name.startswith(OUR_REFS)}, worktrees)


def differences(before: OperatorState, now: OperatorState, allowed_refs: Collection[str] = ()) -> list[str]:
    """What changed, one sentence each; `allowed_refs` are the branches of tasks."""
    spared = {"info/exclude"}  # git itself creates it
    differences = [
        f"the operator's {name} {_verb(before.files, now.files, name)}"
        for name in sorted(before.files.keys() | now.files.keys())
        if before.files.get(name) != now.files.get(name) and name not in spared
    ]
    differences += [
        f"the ref {name} {_verb(before.refs, now.refs, name)}"
        for name in sorted(before.refs.keys() | now.refs.keys())
        if before.refs.get(name) != now.refs.get(name) and name not in allowed_refs
    ]
    return differences + [f"the worktree {path} is left" for path in now.worktrees if path not in before.worktrees]


def broken_objects(project: Path) -> list[str]:
    """What `git fsck` complains about."""
    command = ["git", "fsck", "--no-dangling", "--no-progress", "--connectivity-only"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [f"git fsck: {done.stdout}{done.stderr}".strip()]


def _verb(before: dict[str, str], now: dict[str, str], name: str) -> str:
    return "was changed" if name in before and name in now else "was removed" if name in before else "is new"


def _files_below(path: Path) -> list[Path]:
    if path.is_symlink() or path.is_file():
        return [path]
    found = []
    for folder, folders, files in os.walk(path):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = [name for name in folders if name != ".git"]  # git may remove folders in it while we look
        found += [Path(folder) / name for name in [*files, *links]]
    return sorted(found)


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    mode = path.stat().st_mode & 0o7777
    return f"{mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
