"""The files of one run, and the git directory that records them.

    files/          the working tree, where steps run; files/.git is the steps' repository (step_repository.py)
    git/            the recording git directory: index, configuration, and only this run's objects
    aside/          files that the run's commit cannot hold, until aside.py keeps them

Both git directories borrow the operator's objects, and neither shares refs or configuration with the operator's
repository. The recording one has its own index and configuration, so nothing that a step configures affects it.
"""

import asyncio
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from runner.git import Git, GitFailed
from runner.workspace.repository import Repository, branches_of
from runner.workspace.run_directory import remove_tree
from runner.workspace.step_repository import borrow_objects, config_text, copy_files, create_step_repository
from runner.workspace.survey import CLOCK, attributes_of, later_change_time, survey

_OWN_SETTINGS = (
    ("core.commitgraph", "false"),  # this and the next two: caches beside objects, which a step may have forged
    ("core.multipackindex", "false"),
    ("pack.usebitmaps", "false"),
    ("core.bare", "false"),
    ("core.logallrefupdates", "false"),
    ("core.safecrlf", "false"),  # files with mixed line endings are recorded
    ("core.untrackedcache", "false"),
    ("core.protecthfs", "true"),  # fsck would refuse these names when the result is fetched
    ("core.protectntfs", "true"),
)
RECORDED = "recorded"  # marker file: the operator's repository has all of the run's work
_OWN_NAMES = {"files", "git", "aside", CLOCK, RECORDED}
_VARIABLES = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
}


class WorkspaceReplaced(GitFailed):
    """A step replaced its workspace by something other than a directory."""


class WorkingCopy:
    """A checkout of a commit below `root`. `since_ns`: when it was complete, see survey.later_change_time."""

    def __init__(self, root: Path, repository: Repository) -> None:
        self.root = root
        self.start = ""
        self.since_ns = 0
        self.had_submodules = False
        self.refs: dict[str, str] = {}
        self._inode = 0
        self._mode = 0
        self.attributes: dict[str, bytes] = {}
        self._fingerprint = ""
        self.use(root, repository)

    def use(self, root: Path, repository: Repository) -> None:
        """Set the directory and the repository, after the copy was moved or the repository was read again."""
        self.root = root
        self.files = root / "files"
        self.git_directory = root / "git"
        self.aside = root / "aside"
        self.repository = repository
        own = {"GIT_DIR": str(self.git_directory), "GIT_WORK_TREE": str(self.files)}
        operator = repository.git
        self.git = Git(
            self.files, operator.environment, root, {**_VARIABLES, **own}, timeout_seconds=operator.timeout_seconds
        )

    @property
    def directory(self) -> Path:
        """Where the steps run."""
        return self.files / self.repository.prefix

    async def check_out(self, start: str, branch: str, refs: Mapping[str, str]) -> None:
        """Check out commit `start`, and create the steps' repository on `branch`.

        Raises:
            GitFailed: an object is missing, a filter failed, or the disk is full.
        """
        await asyncio.to_thread(self._prepare)
        await self.git.read("reset", "--quiet", "--hard", start)
        self.start = start
        await asyncio.to_thread(self._finish_checkout, branch, dict(refs))

    async def can_change_to(self, start: str) -> bool:
        """Whether switching to `start` writes the same files as a fresh checkout: same settings and attributes."""
        if self._fingerprint != self._settings_text():
            return False
        attributes = ("--", ":(top,glob)**/.gitattributes")
        return start == self.start or not await self.git.read("diff-tree", "-r", self.start, start, *attributes)

    def is_around_as_made(self) -> bool:
        """Whether a run left nothing beside its files (`../build`), and the directory that holds them as it was."""
        status = self.files.lstat()
        return (
            (status.st_ino, status.st_mode, status.st_uid) == (self._inode, self._mode, os.geteuid())
            and attributes_of(self.files) == self.attributes
            and {path.name for path in self.root.iterdir()} <= _OWN_NAMES
        )

    def is_untouched(self) -> bool:
        """Whether nothing changed since the checkout. Walks all files."""
        return self.files.is_dir() and survey(self.files, self.since_ns).is_untouched

    def mark_recorded(self) -> None:
        """Mark the copy as safe to remove, should the runner be killed from now on."""
        (self.root / RECORDED).touch()

    def borrow_from_steps(self) -> None:
        """Also read objects from the steps' repository."""
        borrow_objects(self.git_directory, self.repository.objects, self.files / ".git/objects")

    def ensure_files(self) -> None:
        """Restore `files`: move it back if a step renamed it, create it empty if a step removed it.

        Raises:
            WorkspaceReplaced: it is no directory, for instance a symbolic link, which must not be followed.
        """
        if not os.path.lexists(self.files):
            moved = [path for path in self.root.iterdir() if path.lstat().st_ino == self._inode]
            if moved:
                moved[0].rename(self.files)
            else:
                self.files.mkdir()
        if not stat.S_ISDIR(self.files.lstat().st_mode):
            raise WorkspaceReplaced(f"a step replaced its workspace {self.files} by something other than a directory")

    def _prepare(self) -> None:
        self.files.mkdir(exist_ok=True)
        (self.root / RECORDED).unlink(missing_ok=True)
        remove_tree(self.git_directory / "objects")
        for folder in ("objects/info", "objects/pack", "refs/heads", "info"):
            (self.git_directory / folder).mkdir(parents=True, exist_ok=True)
        (self.git_directory / "HEAD").write_text("ref: refs/heads/start\n")
        borrow_objects(self.git_directory, self.repository.objects)
        (self.git_directory / "config").write_text(self._config_text(), errors="surrogateescape")
        copy_files(self.git_directory, self.repository.content_files())
        self._fingerprint = self._settings_text()

    def _finish_checkout(self, branch: str, refs: dict[str, str]) -> None:
        remove_tree(self.files / ".git")
        refs[f"refs/heads/{branch}"] = self.start
        self.refs = refs
        self.had_submodules = os.path.lexists(self.files / ".gitmodules")
        status = self.files.stat()
        self._inode, self._mode = status.st_ino, status.st_mode
        self.attributes = attributes_of(self.files)
        ordered = sorted(branches_of(refs), key=lambda pair: pair[0].encode(errors="surrogateescape"))
        create_step_repository(
            self.files / ".git",
            self.repository.objects,
            branch,
            ordered,
            self.repository.step_settings(),
            [*self.repository.content_files(), (self.git_directory / "index", "index")],
        )
        self.since_ns = later_change_time(self.root)

    def _config_text(self) -> str:
        return config_text([*self.repository.content_settings(), *_OWN_SETTINGS])

    def _settings_text(self) -> str:
        """Everything besides the commit that decides what a checkout writes."""
        files = (self.repository.common / "info/attributes", self._attributes_file())
        return self._config_text() + "".join(file.read_text(errors="replace") for file in files if file.is_file())

    def _attributes_file(self) -> Path:
        """The operator's attributes for all repositories (core.attributesFile), or git's default place."""
        environment = self.repository.git.environment
        home = Path(environment.get("HOME", "/"))
        named = dict(self.repository.content_settings()).get("core.attributesfile", "")
        if not named:
            return home / ".config/git/attributes"
        return home / named.removeprefix("~/") if named.startswith("~/") else self.files / named
