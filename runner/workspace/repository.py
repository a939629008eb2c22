"""The operator's repository: commits and settings are read, refs/elruso/* and task branches are written.

No run works in it. A run borrows its objects (working_copy.py). The result arrives by `git fetch`, which checks every
object, below refs/elruso/results; the branch moves to it once the log has accepted the run's end.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from msgspec import Struct

from events.errors import ElRusoError, Unprocessable
from runner.git import Git, GitFailed

NO_COMMIT = '""'  # for `git update-ref --stdin`, in any object format: the ref does not exist
NAME_BYTES = 200  # of one part of a branch name: file systems stop at 255, and git adds ".lock"

# The operator's settings that decide how files are written and read. Filters (LFS) are commands, so they are taken from
# the operator's configuration only.
_CONTENT_SETTINGS = (
    *("core.autocrlf", "core.eol", "core.symlinks", "core.filemode", "core.ignorecase", "core.precomposeunicode"),
    *("core.bigfilethreshold", "core.longpaths", "core.excludesfile", "core.attributesfile"),
)
_CONTENT_SECTIONS = ("filter.", "lfs.")
_CONTENT_FILES = ("info/exclude", "info/attributes", "shallow")
# Settings for commands that steps run: remotes, identity, how to merge.
_STEP_SECTIONS = (
    *("user.", "remote.", "branch.", "url.", "credential.", "http.", "diff.", "merge.", "pull.", "push.", "rebase."),
    *("submodule.", "init.", "alias."),
)
_IDENTITY = (("user.name", "El Ruso"), ("user.email", "elruso@localhost"))


class WorkspaceUnusable(Unprocessable):
    """The configured workspace is not a git repository with at least one commit."""

    code = "workspace_unusable"


class BranchUnusable(Unprocessable):
    """No run can work on this branch until it is renamed, or what conflicts with it is changed."""

    code = "branch_unusable"


class Repository(Struct, frozen=True):
    """A snapshot of the operator's repository.

    `prefix`: path of the configured workspace in the repository, "" at the top, else ending with a slash. `common`: the
    common git directory. `head`: the commit that is checked out. `settings`: git's effective configuration; keys are in
    lower case except for the subsection.
    """

    git: Git
    prefix: str
    common: Path
    objects: Path
    head: str
    settings: tuple[tuple[str, str], ...]

    @classmethod
    async def at(cls, git: Git) -> Self:
        """The repository around the configured workspace, the directory of `git`.

        Raises:
            WorkspaceUnusable: there is none, or it has no commit.
        """
        path = git.directory
        if not path.is_dir():
            raise WorkspaceUnusable(f"the workspace {path} is not a directory")
        try:
            found = await git.line(
                *("rev-parse", "--show-prefix", "--path-format=absolute", "--git-common-dir", "--git-path", "objects")
            )
        except GitFailed as refusal:
            advice = "run `git init` and make a first commit, or configure another workspace"
            raise WorkspaceUnusable(f"{path} is not a git repository: {advice} ({refusal.detail})") from refusal
        if found.count("\n") != 2:
            raise WorkspaceUnusable(
                f"the path of the workspace contains a line break: rename the directory in {str(path)!r}"
            )
        prefix, common, objects = found.split("\n")
        try:
            head = await git.line("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        except GitFailed as refusal:
            raise WorkspaceUnusable(f"the repository {path} has no commit yet: make the first one") from refusal
        listed = (await git.read("config", "--list", "-z")).decode(errors="surrogateescape").split("\0")
        settings = tuple((key, value) for key, _, value in (entry.partition("\n") for entry in listed if entry))
        return cls(git, prefix, Path(common), Path(objects), head, settings)

    async def refs(self) -> dict[str, str]:
        """Object ids by name, in byte order: branches, remote-tracking branches, tags, and our own branch notes."""
        listed = await self.git.read(
            *("for-each-ref", "--format=%(objectname) %(refname)", "refs/elruso/active"),
            *("refs/heads", "refs/remotes", "refs/tags"),
        )
        lines = listed.decode(errors="surrogateescape").splitlines()
        return {name: oid for oid, _, name in (line.partition(" ") for line in lines)}

    async def check_branch(self, branch: str, refs: Mapping[str, str]) -> None:
        """Refuse a branch that cannot be created or moved, before any work is done.

        Raises:
            BranchUnusable: the name is invalid, another branch conflicts with it, or it is checked out.
        """
        parts = branch.split("/")
        valid = not branch.startswith("-") and branch != "HEAD" and not branch.startswith("refs/")
        if not valid or not await self.git.succeeds("check-ref-format", f"refs/heads/{branch}"):
            raise BranchUnusable(f"branch: {branch!r} is not a valid branch name; give the task another one")
        if len(branch.encode(errors="surrogateescape")) > 4 * NAME_BYTES or any(
            len(part.encode(errors="surrogateescape")) > NAME_BYTES for part in parts
        ):
            raise BranchUnusable(f"branch: the name is too long: at most {NAME_BYTES} bytes between two slashes")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        below = (name.removeprefix("refs/heads/") for name in refs if name.startswith(f"refs/heads/{branch}/"))
        for other in (*(name for name in above if f"refs/heads/{name}" in refs), *below):
            raise BranchUnusable(
                f"branch {branch} cannot exist beside branch {other}: rename that one "
                f"(git branch -m {other} {other.replace('/', '-')}-old), or give the task another branch"
            )
        if f"refs/heads/{branch}" in refs:
            await self._check_is_no_alias(branch)
            await self.check_not_checked_out(branch)

    async def check_not_checked_out(self, branch: str) -> None:
        """Refuse a branch that is checked out.

        Raises:
            BranchUnusable: a worktree of the operator has it checked out.
        """
        entries = (await self.git.line("worktree", "list", "--porcelain")).split("\n\n")
        for entry in entries:
            if f"\nbranch refs/heads/{branch}\n" in f"{entry}\n":
                holder = entry.splitlines()[0].removeprefix("worktree ")
                raise BranchUnusable(
                    f"branch {branch} is checked out in {holder}: check out another branch there "
                    "(git switch), or give the task another branch"
                )

    async def _check_is_no_alias(self, branch: str) -> None:
        """Refuse a symbolic ref: git would move what is behind it, checked out or not."""
        try:
            target = await self.git.line("symbolic-ref", "--quiet", f"refs/heads/{branch}")
        except GitFailed:
            return
        raise BranchUnusable(f"branch {branch} is an alias of {target}: give the task that branch's own name")

    async def update_refs(self, *commands: str) -> None:
        """Run commands of `git update-ref --stdin` in one transaction.

        Raises:
            GitFailed: a ref does not have its expected value (see `is_gone`), or is locked.
        """
        lines = ["start", *commands, "prepare", "commit"]
        await self.git.read("update-ref", "--stdin", given="".join(f"{line}\n" for line in lines))

    async def fetch_result(self, source: Path, ref: str) -> None:
        """Fetch refs/heads/result of the git directory `source` as `ref`, with every object checked.

        Raises:
            GitFailed: an object is missing or malformed, or cannot be stored.
        """
        await self.git.read(
            *("-c", "fetch.fsckObjects=true", "-c", "protocol.file.allow=always"),
            *("-c", "fetch.showForcedUpdates=false", *_TOLERATED),
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc"),
            *(str(source), f"+refs/heads/result:{ref}"),
        )

    def content_settings(self) -> list[tuple[str, str]]:
        """The settings that decide what a checkout writes and what a snapshot reads."""
        chosen = [
            (key, value)
            for key, value in self.settings
            if key in _CONTENT_SETTINGS or (key.startswith(_CONTENT_SECTIONS) and key != "lfs.storage")
        ]
        given = dict(self.settings)
        if any(key.startswith("filter.lfs.") for key, _ in chosen):
            chosen.append(("lfs.storage", given.get("lfs.storage", str(self.common / "lfs"))))
        return [*chosen, *self._format_settings()]

    def step_settings(self) -> list[tuple[str, str]]:
        """The settings of the repository that steps see."""
        chosen = [(key, value) for key, value in self.settings if key.startswith(_STEP_SECTIONS)]
        known = {key for key, _ in chosen}
        identity = [pair for pair in _IDENTITY if pair[0] not in known]
        quiet = [("gc.auto", "0"), ("maintenance.auto", "false"), ("advice.detachedHead", "false")]
        return [*self.content_settings(), *chosen, *identity, *quiet]

    def content_files(self) -> list[tuple[Path, str]]:
        """Files that decide what a checkout writes: (path, path relative to a git directory)."""
        return [(self.common / place, place) for place in _CONTENT_FILES]

    def _format_settings(self) -> list[tuple[str, str]]:
        """The object format, and the promisor remotes of a partial clone."""
        given = dict(self.settings)
        extensions = [(key, value) for key, value in given.items() if key in _EXTENSIONS]
        names = [key for key in given if key.startswith("remote.") and key.endswith(".promisor")]
        promisors = {key.removesuffix(".promisor") for key in names}
        remotes = [
            (f"{remote}.{name}", given[f"{remote}.{name}"])
            for remote in sorted(promisors)
            for name in ("url", "promisor", "partialclonefilter")
            if f"{remote}.{name}" in given
        ]
        return [("core.repositoryformatversion", "1" if extensions else "0"), *extensions, *remotes]


_EXTENSIONS = ("extensions.objectformat", "extensions.partialclone")


def branches_of(refs: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """The refs that the steps' repository starts with: all but refs/elruso."""
    return [(name, oid) for name, oid in refs.items() if not name.startswith("refs/elruso/")]


# fsck messages that are no reason to refuse a result: odd or large files with names that git interprets.
_ODD = (
    *("gitmodulesBlob", "gitmodulesLarge", "gitmodulesParse", "gitattributesBlob", "gitattributesLarge"),
    *("gitattributesLineLength", "gitattributesSymlink", "gitignoreSymlink", "mailmapSymlink"),
)
_TOLERATED = tuple(word for name in _ODD for word in ("-c", f"fetch.fsck.{name}=ignore"))
_GONE = ("but expected", "reference already exists", "unable to resolve reference", "reference is missing")


def is_gone(refusal: ElRusoError) -> bool:
    """True when an update of refs was refused because a ref does not have its expected value."""
    return any(words in refusal.detail for words in _GONE)


def is_excluded(refusal: ElRusoError) -> bool:
    """True when an update of refs was refused because of a branch that the new one cannot exist beside."""
    return "exists; cannot create" in refusal.detail


def is_locked(refusal: ElRusoError, ref: str) -> bool:
    """True when an update of refs was refused because the lock file of `ref` exists."""
    return f"cannot lock ref '{ref}': Unable to create" in refusal.detail and "File exists" in refusal.detail
