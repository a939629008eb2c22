"""Record everything that a run changed as a commit, and list what no commit can hold.

`git add` adds all paths or none, so paths that git would refuse are found first and excluded. The run's own commits
become part of the result if they descend from the commit where it started; otherwise its files are recorded as one
commit on top of that one.
"""

import asyncio
import os
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from events.task import Unrecorded, UnrecordedReason
from runner.git import Git, GitFailed
from runner.redact import Redactor
from runner.workspace.aside import move_paths
from runner.workspace.changes import Changes, changes_between
from runner.workspace.step_repository import StepRepositoryState, list_refs, read_step_repository
from runner.workspace.submodules import can_record, find_submodules
from runner.workspace.survey import Survey, survey
from runner.workspace.working_copy import WorkingCopy

REFUSALS_MAX = 50  # paths that git refuses one by one, before the rest is added with --ignore-errors
MARKED_FILE_BYTES = 4 * 1024 * 1024  # of a file, that are searched for conflict markers
_INVALID_PATH = re.compile(r"error: invalid path '(.+)'$", re.MULTILINE)
_CONFLICT = re.compile(rb"^<{7} [^\n]*\n(?:(?!^<{7} ).*\n)*?^={7}\r?\n(?:(?!^<{7} ).*\n)*?^>{7} ", re.MULTILINE)
_NAMED = 10  # paths in a message


class Snapshot(Struct):
    """The work of a run. `commit`: the result; the start if nothing changed. `has_history`: the run made commits of its
    own.

    `unrecorded`: paths that the commit does not hold; `excluded`: the files among them. `problems`: messages that say
    why the run must fail. `survey`: the files that the run touched.
    """

    commit: str
    survey: Survey
    unrecorded: list[Unrecorded] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    changes: Changes = Changes()
    has_history: bool = False

    def leave_out(self, paths: Iterable[str], reason: UnrecordedReason) -> None:
        """List paths as unrecorded."""
        self.unrecorded += [Unrecorded(readable(path), reason) for path in paths]


async def take_snapshot(copy: WorkingCopy, message: str, redactor: Redactor) -> Snapshot:
    """Commit everything in `copy`.

    Raises:
        GitFailed: nothing can be recorded at all.
    """
    copy.ensure_files()
    found = await asyncio.to_thread(survey, copy.files, copy.since_ns)
    taken = Snapshot(copy.start, found)
    taken.excluded = await _set_apart(copy, taken)
    await _add(copy, taken)
    tree = await copy.git.line("write-tree")
    state = read_step_repository(copy.files / ".git")
    parents = await _parents(copy, taken, state)
    taken.has_history = parents != [copy.start]
    taken.commit = await _commit(copy.git, tree, parents, message)
    await _name_lost_commits(copy, taken)
    taken.problems += await _conflicts(copy, state, taken.commit)
    taken.changes = await changes_between(copy.git, copy.start, taken.commit, redactor)
    return taken


async def record_without_history(copy: WorkingCopy, taken: Snapshot, message: str) -> None:
    """Replace the run's own commits, which the repository refuses, by one commit with the same files."""
    tree = await copy.git.line("rev-parse", f"{taken.commit}^{{tree}}")
    taken.leave_out([".git"], "history")
    taken.has_history = False
    taken.commit = await _commit(copy.git, tree, [copy.start], message)


def readable(path: str) -> str:
    r"""A path as text: bytes that are not UTF-8 as `\xff`."""
    return os.fsencode(path).decode(errors="backslashreplace").replace("\0", "\ufffd")


# ---------------------------------------------------------------------------------------------------- files


async def _set_apart(copy: WorkingCopy, taken: Snapshot) -> list[str]:
    """Prepare the files for `git add`; returns the paths that it must exclude."""
    found = taken.survey
    for path in found.unreadable:
        (copy.files / path).chmod(0o600)
    suspects = [*found.unsupported, *found.special, *found.embedded]
    ignored = await _ignored(copy.git, suspects) if suspects else set()
    unsupported = [path for path in found.unsupported if path not in ignored]
    special = [path for path in found.special if path not in ignored and not _is_below(path, unsupported)]
    taken.leave_out(unsupported, "unsupported_name")
    taken.leave_out(special, "special_file")
    submodules = await _submodules(copy, taken)
    embedded = [path for path in found.embedded if path not in ignored and not _is_below(path, submodules)]
    histories = [f"{path}/.git" for path in embedded if path not in submodules]
    await asyncio.to_thread(move_paths, copy.files, histories, copy.aside)
    taken.leave_out(histories, "embedded_repository")
    return [*unsupported, *special]


async def _submodules(copy: WorkingCopy, taken: Snapshot) -> set[str]:
    """The paths of submodules. Changes inside one that cannot be recorded become a problem of the run."""
    # A submodule that is not checked out has no .git, but a step may have written files there.
    if not taken.survey.embedded and not copy.had_submodules:
        return set()
    submodules = await find_submodules(copy)
    changed = [submodule for submodule in submodules if not await can_record(copy, submodule)]
    if changed:
        paths = [submodule.path for submodule in changed]
        taken.leave_out(paths, "submodule")
        taken.problems.append(
            f"submodules were changed inside ({_listed(paths)}): a commit there would exist only in this run; "
            "let a task work in the submodule's own repository, push, and point to the pushed commit here"
        )
    return {submodule.path for submodule in submodules}


async def _add(copy: WorkingCopy, taken: Snapshot) -> None:
    """Update the index from the files, except those that are excluded or that git refuses."""
    excluded = taken.excluded
    for _ in range(REFUSALS_MAX):
        try:
            await _add_all(copy.git, excluded)
        except GitFailed as refusal:
            invalid = _INVALID_PATH.search(refusal.detail)
            if invalid is None or invalid[1] in excluded:
                break
            excluded.append(invalid[1])
            taken.leave_out([invalid[1]], "unsupported_name")
        else:
            return
    await _add_what_goes(copy.git, taken)


async def _add_what_goes(git: Git, taken: Snapshot) -> None:
    """Add with --ignore-errors, and list the files that are not in the index afterwards."""
    try:
        await _add_all(git, taken.excluded, "--ignore-errors")
    except GitFailed as refusal:
        missing = {
            *await git.paths("diff-files", "--name-only", "-z"),
            *await git.paths("ls-files", "--others", "--exclude-standard", "-z"),
        }
        refused = sorted(path for path in missing if not _is_below(path, taken.excluded))
        if not refused:
            raise
        taken.leave_out(refused, "refused")
        taken.problems.append(f"git could not record {_listed(refused)}: {refusal.detail}")


async def _add_all(git: Git, excluded: Sequence[str], *options: str) -> None:
    pathspecs = [":/"] + [f":(top,exclude,literal){path}" for path in excluded]
    given = "\0".join(pathspecs).encode(errors="surrogateescape")
    await git.read("add", "--all", *options, "--pathspec-from-file=-", "--pathspec-file-nul", given=given)


async def _ignored(git: Git, paths: Sequence[str]) -> set[str]:
    try:
        return set(await git.paths("check-ignore", "-z", "--stdin", given="\0".join(paths)))
    except GitFailed:  # exit code 1: none is ignored; 128: a path is in a submodule
        return set()


# -------------------------------------------------------------------------------------------------- commits


async def _parents(copy: WorkingCopy, taken: Snapshot, state: StepRepositoryState) -> list[str]:
    """The parents of the snapshot: the run's own head if it descends from the start, else the start; merged heads."""
    if state.head == copy.start and not state.merged:
        return [copy.start]
    if not state.exists:
        return [copy.start]
    if (copy.files / ".git/objects").is_dir():
        copy.borrow_from_steps()
    head = state.head
    if head is None or not await copy.git.is_ancestor(copy.start, head):
        taken.leave_out([".git"], "history")
        return [copy.start]
    merged = [oid for oid in state.merged if await copy.git.succeeds("cat-file", "-e", f"{oid}^{{commit}}")]
    return [head, *merged]


async def _name_lost_commits(copy: WorkingCopy, taken: Snapshot) -> None:
    """List branches, tags and stashes whose commits are in neither the result nor a remote-tracking branch."""
    refs = list_refs(copy.files / ".git")
    moved = {name: oid for name, oid in refs.items() if copy.refs.get(name) != oid and oid != copy.start}
    remotes = [oid for name, oid in moved.items() if name.startswith("refs/remotes/")]
    kept = [taken.commit, *remotes]
    suspects = {name: oid for name, oid in moved.items() if not name.startswith("refs/remotes/") and oid not in kept}
    if not suspects:
        return
    copy.borrow_from_steps()
    for name, oid in suspects.items():
        if not await copy.git.is_in_any(oid, kept):
            taken.leave_out([f".git/{name}"], "history")


async def _commit(git: Git, tree: str, parents: Sequence[str], message: str) -> str:
    """A commit of `tree`; the parent itself if there is only one and it has the same tree."""
    if len(parents) == 1 and await git.line("rev-parse", f"{parents[0]}^{{tree}}") == tree:
        return parents[0]
    options = [word for parent in parents for word in ("-p", parent)]
    return await git.line("commit-tree", tree, *options, "-F", "-", given=message)


async def _conflicts(copy: WorkingCopy, state: StepRepositoryState, commit: str) -> list[str]:
    """Problems: an unfinished rebase, cherry-pick or revert, unmerged files, conflict markers."""
    problems = []
    if state.unfinished:
        problems.append(f"the run left a {state.unfinished} unfinished: continue or abort it in a step")
    unmerged = await _unmerged(copy)
    marked = [] if commit == copy.start else await _marked(copy.git, copy.start, commit)
    left = sorted({*unmerged, *marked})
    if left:
        problems.append(f"conflicts of a merge are left in {_listed(left)}: resolve them and remove the markers")
    return problems


async def _unmerged(copy: WorkingCopy) -> list[str]:
    """Unmerged files in the steps' index."""
    index = copy.files / ".git/index"
    if index.is_symlink() or not index.is_file():
        return []
    own = copy.git.with_variables(GIT_INDEX_FILE=str(index))
    try:
        entries = await own.paths("ls-files", "--unmerged", "-z")
    except GitFailed:
        return []
    return [entry.partition("\t")[2] for entry in entries]


async def _marked(git: Git, start: str, commit: str) -> list[str]:
    """Files with more conflict markers than at the start: all three kinds, in order, at the beginning of lines."""
    candidates = await git.paths(
        *("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=AM", "--no-ext-diff", "--no-textconv"),
        *("-G^<<<<<<< ", start, commit),
    )
    return [path for path in candidates if await _has_more_markers(git, start, commit, path)]


async def _has_more_markers(git: Git, start: str, commit: str, path: str) -> bool:
    return await _count_markers(git, commit, path) > await _count_markers(git, start, path)


async def _count_markers(git: Git, commit: str, path: str) -> int:
    try:
        content = await git.read("cat-file", "blob", f"{commit}:{path}", limit=MARKED_FILE_BYTES)
    except GitFailed:
        return 0
    return len(_CONFLICT.findall(content))


# ---------------------------------------------------------------------------------------------------- paths


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _listed(paths: Sequence[str]) -> str:
    named = ", ".join(readable(path) for path in paths[:_NAMED])
    return f"{named} and {len(paths) - _NAMED} more" if len(paths) > _NAMED else named
