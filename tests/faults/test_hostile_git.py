"""What a run does with git stays in the run: neither the operator nor the next run meets its config, refs or hooks."""

from pathlib import Path

import pytest

from tests.faults.snapshot_case import BRANCH, expect_law, expect_next_run_is_clean, play
from tests.support.operator_repository import prepare_project, run_git

IDENTITY = "git config user.name S; git config user.email s@localhost"
COMMIT = f"{IDENTITY}; echo x > own; git add own; git commit -qm own"
COMMON = "$(git rev-parse --git-common-dir)"

# {trap} makes a file if anybody but the run executes it.
CONFIGS = {
    "bare": "git config core.bare true",
    "worktree": "git config core.worktree /tmp",
    "future format": "git config core.repositoryFormatVersion 99",
    "unknown extension": "git config core.repositoryFormatVersion 1; git config extensions.noSuch true",
    "object format": "git config core.repositoryFormatVersion 1; git config extensions.objectFormat sha256",
    "rubbish": f"echo '[[[' >> {COMMON}/config",
    "no config": f"rm -f {COMMON}/config",
    "locked config": f"touch {COMMON}/config.lock",
    "hooks": (
        "mkdir hooks; for hook in post-checkout pre-commit post-commit post-index-change reference-transaction "
        """pre-auto-gc post-merge; do printf '#!/bin/sh\\n%s\\n' "{trap}" > hooks/$hook; done; chmod 755 hooks/*; """
        f"git config core.hooksPath $PWD/hooks; cp hooks/* {COMMON}/hooks/ 2>/dev/null; true"
    ),
    "fsmonitor": 'git config core.fsmonitor "{trap}"',
    "filters": (
        'for kind in clean smudge process; do git config filter.f.$kind "{trap}"; done; '
        f"mkdir -p {COMMON}/info; echo '* filter=f' > {COMMON}/info/attributes; echo x > new"
    ),
    "filters, committed attributes": "git config filter.f.clean \"{trap}\"; echo '* filter=f' > .gitattributes",
    "filter of a known name": 'git config filter.lfs.clean "{trap}"; echo "* filter=lfs" > .gitattributes',
    "include": (
        'printf "[core]\\n\\tfsmonitor = \\"%s\\"\\n" "{trap}" > evil.config; git config include.path $PWD/evil.config'
    ),
    "diff drivers": (
        'git config diff.external "{trap}"; git config diff.d.textconv "{trap}"; git config diff.d.command "{trap}"; '
        "echo '* diff=d' > .gitattributes; echo x >> README.md"
    ),
    "merge driver": "git config merge.m.driver \"{trap}\"; echo '* merge=m' > .gitattributes",
    "aliases": 'for name in add status write-tree diff-tree fetch; do git config alias.$name "!{trap}"; done',
    "pager and editors": (
        "for name in core.pager core.editor sequence.editor core.askPass core.sshCommand core.gitProxy gpg.program "
        'credential.helper core.alternateRefsCommand uploadpack.packObjectsHook; do git config $name "{trap}"; done; '
        "git config commit.gpgSign true; echo x > new"
    ),
    "remote helper": (
        'git remote add evil "ext::{trap}"; git config protocol.ext.allow always; '
        'git config remote.evil.uploadpack "{trap}"; '
        "git config remote.pushDefault evil; git config fetch.all true"
    ),
    "gc hooks": 'git config gc.auto 1; git config gc.recentObjectsHook "{trap}"; git config maintenance.auto true',
    "partial clone": (
        'git config extensions.partialClone evil; git remote add evil "ext::{trap}"; '
        "git config remote.evil.promisor true; "
        "git config protocol.ext.allow always; echo x > new"
    ),
    "worktree config": (
        "git config core.repositoryFormatVersion 1; git config extensions.worktreeConfig true; "
        'git config --worktree core.fsmonitor "{trap}"'
    ),
    "url rewriting": 'git config url."ext::{trap}".insteadOf "/"; git config protocol.ext.allow always; echo x > new',
    "safecrlf": r"git config core.safecrlf true; git config core.autocrlf input; printf 'a\r\nb\n' > mixed",
    "excludes": "git config core.excludesFile $PWD/all; echo '*.txt' > all; echo x > new.txt",
}
REFS = {
    "main moved": "git update-ref refs/heads/main HEAD~1",
    "main forced": f"{COMMIT}; git branch -f main HEAD 2>/dev/null || git update-ref refs/heads/main HEAD",
    "branch removed": "git branch -D other || git update-ref -d refs/heads/other; git tag -d v1",
    "tag and branch": "git tag evil; git branch evil; git notes add -m evil 2>/dev/null; true",
    "pushed to itself": f"{COMMIT}; git push -q . HEAD:refs/heads/main -f || true",
    "head elsewhere": "git symbolic-ref HEAD refs/heads/evil; echo x > new",
    "head of rubbish": "echo rubbish > $(git rev-parse --git-path HEAD); echo x > new",
    "head detached": "git checkout -q --detach; echo x > new",
    "packed": "git pack-refs --all; git gc -q --prune=now 2>/dev/null; echo x > new",
    "packed of rubbish": f"echo rubbish >> {COMMON}/packed-refs; echo x > new",
    "refs removed": f"rm -rf {COMMON}/refs {COMMON}/packed-refs; echo x > new",
    "locks": (
        f"for name in index HEAD packed-refs refs/heads/main config shallow; do touch {COMMON}/$name.lock; done; "
        "echo x > new"
    ),
    "replaced": "git replace HEAD HEAD~1; echo x > new",
    "grafted": f"mkdir -p {COMMON}/info; git rev-parse HEAD > {COMMON}/info/grafts; echo x > new",
    "shallow": f"git rev-parse HEAD > {COMMON}/shallow; echo x > new",
    "alternates": f"mkdir -p {COMMON}/objects/info; echo /nowhere > {COMMON}/objects/info/alternates; echo x > new",
    "git directory removed": f"rm -rf {COMMON} .git; echo x > new",
    "git directory replaced": f"rm -rf .git; git init -q; {COMMIT}",
    "git directory a link": "rm -rf .git; ln -s /nowhere .git; echo x > new",
    "git directory a file": "rm -rf .git; echo 'gitdir: /nowhere' > .git; echo x > new",
    "git directory a pipe": "rm -rf .git; mkfifo .git; echo x > new",
    "git directory moved": "mv .git moved; echo x > new",
    "other worktree": "git worktree add -q ../elsewhere -b elsewhere; echo x > ../elsewhere/new; echo x > new",
    "remote added": "git remote add origin /nowhere; git config branch.main.remote origin; echo x > new",
}


@pytest.mark.parametrize("script", [*CONFIGS.values(), *REFS.values()], ids=[*CONFIGS, *REFS])
async def test_what_git_is_told_stays_in_the_run(tmp_path: Path, script: str) -> None:
    """The operator's repository is as it was, nothing planted is executed, and the next run is a clean one."""
    result = await play(tmp_path, f"{script}\ntrue")
    assert result.is_done, result.error
    await expect_law(result)
    await expect_next_run_is_clean(result, tmp_path)


HISTORIES = {
    "own commits": f"{COMMIT}; echo y > more",
    "amended": f"{COMMIT}; git commit -q --amend -m other; echo y > more",
    "other branch": f"git checkout -qb other-work; {COMMIT}",
    "orphan": f"git checkout -q --orphan fresh; {COMMIT}",
    "orphan without commit": "git checkout -q --orphan fresh; echo x > new",
    "reset": f"{COMMIT}; git reset -q --hard HEAD~1; echo x > new",
    "start dropped": f"git reset -q --hard HEAD~1; {COMMIT}",
    "merged": (
        f"git checkout -qb side; {COMMIT}; git checkout -q -; "
        "echo z > z; git add z; git commit -qm z; git merge -q side"
    ),
    "object replaced by hand": f"{COMMIT}; echo x > new; git hash-object -w --stdin <<< junk",
}


@pytest.mark.parametrize("script", HISTORIES.values(), ids=list(HISTORIES))
async def test_own_history_keeps_the_files(tmp_path: Path, script: str) -> None:
    """Whatever history a run makes, its files are in a commit that follows the one where it started."""
    result = await play(tmp_path, script)
    assert result.is_done, result.error
    await expect_law(result)
    run_git(result.project, "merge-base", "--is-ancestor", "main", result.event.commit_hash or "")


async def test_merge_that_was_not_committed_keeps_both_parents(tmp_path: Path) -> None:
    """`git merge --no-commit` ends as a merge, or the run fails with a sentence."""
    script = f"git checkout -qb side; {COMMIT}; git checkout -q -; git merge -q --no-commit --no-ff side"
    result = await play(tmp_path, script)
    if result.is_done:
        assert 3 == len(run_git(result.project, "rev-list", "--parents", "-1", result.event.commit_hash or "").split())
    else:
        assert "merge" in result.error
    await expect_law(result)


UNFINISHED = {
    "merge": "git merge side",
    "rebase": "git rebase side",
    "cherry-pick": "git cherry-pick side",
    "revert": "git revert --no-edit HEAD~1",
}


@pytest.mark.parametrize("command", UNFINISHED.values(), ids=list(UNFINISHED))
async def test_conflict_is_not_done(tmp_path: Path, command: str) -> None:
    """A run that leaves conflict markers fails, and says in which file."""
    script = (
        f"{IDENTITY}; git checkout -qb side; echo side > README.md; git commit -qam side; git checkout -q -; "
        f"echo own > README.md; git commit -qam own; echo more >> README.md; git commit -qam more; {command} || true"
    )
    result = await play(tmp_path, script)
    assert not result.is_done
    assert "README.md" in result.error
    await expect_law(result)


async def test_commits_beside_the_branch_are_named(tmp_path: Path) -> None:
    """A commit on a branch that is not checked out in the end is part of the result, or the record names the branch."""
    result = await play(tmp_path, f"git checkout -qb beside; {COMMIT}; git checkout -q -")
    assert "own" in result.tree or result.names(".git/refs/heads/beside")
    await expect_law(result)


async def test_stash_is_named(tmp_path: Path) -> None:
    """Work in a stash is part of the result, or the record names it."""
    result = await play(tmp_path, f"{IDENTITY}; echo x >> README.md; git stash -q; git stash list")
    assert "x" in result.show("README.md").split() or result.names(".git/refs/stash")
    await expect_law(result)


async def test_branch_of_a_run_is_the_only_ref_that_is_new(tmp_path: Path) -> None:
    """Beside the branch only refs below refs/elruso/ may be new, and none of them is a branch or a tag for `git`."""
    project = tmp_path / "project"
    prepare_project(project)
    result = await play(tmp_path, "echo x > new", project=project)
    refs = run_git(project, "for-each-ref", "--format=%(refname)").split()
    others = [name for name in refs if name not in result.before.refs and name != BRANCH]
    assert [] == [name for name in others if not name.startswith("refs/elruso/")]
