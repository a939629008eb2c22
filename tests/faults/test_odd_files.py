"""Odd files at the snapshot: what a run leaves is in its commit, or its record names it."""

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.snapshot_case import expect_law, play
from tests.support.operator_repository import prepare_project, run_git

IDENTITY = "git config user.name S; git config user.email s@localhost;"
CLONE = f"mkdir inner; cd inner; git init -q; {IDENTITY} echo x > file; git add file; git commit -qm one; cd .."

ODD: dict[str, str] = {
    "nothing": "true",
    "names": r"""touch 'a b' $'tab\there' $'new\nline' 'quo"te' ':100644 colon' ñandú -- '-dash' '{a => b}' '*' '\'""",
    "pathspec magic": "mkdir ':(exclude)x' ':'; echo x > ':(exclude)x/:!y'; echo x > ':/README.md'",
    "not UTF-8": r"echo x > $'bad\xff'; mkdir $'dir\xe9'; echo y > $'dir\xe9/file'",
    "longest names": "echo x > $(printf 'n%.0s' $(seq 255)); echo x > $(printf 'ñ%.0s' $(seq 127))",
    "deep folders": "for n in $(seq 12); do mkdir $(printf 'd%.0s' $(seq 200)); cd d*; done; echo x > file",
    "modes": "echo x > run; chmod 755 run; echo x > private; chmod 600 private; echo x > odd; chmod 4777 odd",
    "mode changed": "chmod 755 README.md",
    "links": "ln -s nowhere dangling; ln -s loop loop; ln -s . here; ln -s /etc absolute; ln README.md hard",
    "link out of the workspace": "ln -s ../../../.. up; ln -s /etc/passwd passwd",
    "file becomes folder": "rm README.md; mkdir README.md; echo x > README.md/file",
    "folder becomes file": "rm -r src; echo x > src",
    "folder becomes link": "mv src real; ln -s real src",
    "case": "mkdir Src; echo x > Src/app.py; echo y > readme.MD",
    "empty and large": "touch empty; mkdir hollow; head -c 5000000 /dev/zero > large",
    "sparse file": "truncate -s 20M sparse",
    "binary": r"printf 'a\0b\377' > binary",
    "line ends": r"printf 'a\r\nb\n' > mixed; printf 'a\r\n' > dos; printf 'a\rb' > mac",
    "pipe": "mkfifo pipe; echo x > beside",
    "socket": "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"socket\")'; echo x > beside",
    "device": "mknod device c 1 3 || mkfifo device; echo x > beside",
    "no permissions": "mkdir shut; echo x > shut/file; echo y > closed; chmod 0 shut/file closed; chmod 0 shut",
    "read-only folders": "mkdir -p tight/deep; echo x > tight/deep/file; chmod 555 tight/deep tight",
    "reserved names": "mkdir .GIT; echo x > .GIT/config; echo y > beside",
    "reserved name below": "mkdir -p a/.Git; echo x > a/.Git/hooks; echo y > a/beside",
    "names of other systems": "mkdir git~1; echo x > git~1/config; echo y > con; echo z > 'a\\b'; echo w > nul.txt",
    "invisible reserved names": r"mkdir $'.g\u200cit'; echo x > $'.g\u200cit/config'; echo y > beside",
    "git's own files": "echo '* text' > .gitattributes; echo 'x y' > .mailmap; echo '[a]' > .gitmodules",
    "git files as links": "ln -s README.md .gitattributes; ln -s README.md .gitmodules; ln -sf x .gitignore",
    "git files as folders": "mkdir .gitattributes .gitmodules; echo x > .gitattributes/a; echo x > .gitmodules/b",
    "repository without commit": "git init -q inner; echo x > inner/file",
    "repository with commit": CLONE,
    "repository with open changes": f"{CLONE}; echo y > inner/open; echo z >> inner/file",
    "repository in a repository": f"{CLONE}; cd inner; {CLONE}",
    "bare repository": "git init -q --bare inner.git; echo x > beside",
    "clone of the workspace": "git clone -q . copy; echo x > copy/new",
    "repository in place of a folder": "rm -r src; git init -q src; echo x > src/app.py",
    "git file to nowhere": "mkdir sub; echo 'gitdir: /nowhere' > sub/.git; echo x > sub/file",
    "git file of rubbish": "mkdir sub; head -c 100 /dev/urandom > sub/.git; echo x > sub/file",
    "git link": "mkdir sub; ln -s /nowhere sub/.git; echo x > sub/file",
    "empty git folder": "mkdir -p sub/.git; echo x > sub/file",
    "worktree inside": "git worktree add -q inside -b inside; echo x > inside/new",
    "submodule added": "git init -q ../other 2>/dev/null; git submodule add -q ./ sub || true; echo x > beside",
    "all removed": "rm -rf -- * .gitignore",
    "ignored": "echo x > debug.log; echo y > kept",
}
AS_STEPS_GIT_IS_SET = {
    "assume unchanged": "git update-index --assume-unchanged README.md; echo x >> README.md",
    "skip worktree": "git update-index --skip-worktree README.md; echo x >> README.md",
    "intent to add": "echo x > new; git add -N new",
    "only staged": "echo x > new; git add new; rm new; echo y > other",
    "sparse checkout": "git sparse-checkout set src; echo x > src/new; mkdir -p docs; echo y > docs/new",
    "index removed": "rm -f $(git rev-parse --git-path index); echo x > new",
    "index of rubbish": "head -c 100 /dev/urandom > $(git rev-parse --git-path index); echo x > new",
    "index locked": "touch $(git rev-parse --git-path index.lock); echo x > new",
    "file mode ignored": "git config core.fileMode false; chmod 755 README.md",
    "links ignored": "git config core.symlinks false; ln -s README.md link",
    "case ignored": "git config core.ignoreCase true; echo x > readme.MD; echo y > Readme.md",
    "excluded by the run": "echo '*' > $(git rev-parse --git-path info/exclude); echo x > new",
    "excluded by a setting": "echo '*' > all; git config core.excludesFile $PWD/all; echo x > new",
    "attributes of the run": "mkdir -p $(git rev-parse --git-path info); echo '* -text' > .gitattributes; echo x > new",
    "required filter that fails": (
        "git config filter.f.clean false; git config filter.f.required true; "
        "echo 'x filter=f' > .gitattributes; echo x > x"
    ),
    "safecrlf": r"git config core.safecrlf true; git config core.autocrlf input; printf 'a\r\nb\n' > mixed",
}


# What git cannot convert as the run's own .gitattributes want it.
REFUSED = {
    "encoding that fails": r"echo 'f working-tree-encoding=UTF-16' > .gitattributes; printf '\xff\xfe\xff' > f",
    "unknown encoding": "echo 'f working-tree-encoding=NO-SUCH' > .gitattributes; echo x > f",
}


@pytest.mark.parametrize("script", [*ODD.values(), *AS_STEPS_GIT_IS_SET.values()], ids=[*ODD, *AS_STEPS_GIT_IS_SET])
async def test_nothing_is_lost(tmp_path: Path, script: str) -> None:
    """Whatever a run leaves is in its commit or named, and the run is done."""
    result = await play(tmp_path, script)
    assert result.is_done, result.error
    await expect_law(result)


@pytest.mark.parametrize("script", REFUSED.values(), ids=list(REFUSED))
async def test_what_git_refuses_is_named(tmp_path: Path, script: str) -> None:
    """A file that cannot be converted is named, and the others are not lost with it."""
    result = await play(tmp_path, f"{script}; echo y > beside")
    assert result.is_done or "f" in result.error
    await expect_law(result)


@pytest.mark.parametrize("name", ["pipe", "reserved names", "repository without commit", "git link", "all removed"])
async def test_nothing_of_a_failed_run_is_lost(tmp_path: Path, name: str) -> None:
    """The same for a run whose last step fails; it says so, and not what the snapshot stumbled over."""
    result = await play(tmp_path, ODD[name], "exit 3")
    assert "exit code 3" in result.error
    await expect_law(result)


async def test_ignored_expected_file_is_not_enough(tmp_path: Path) -> None:
    """A file that acceptance expects must be in the commit: one that .gitignore hides fails the run, which names it."""
    result = await play(tmp_path, "echo x > result.log", acceptance={"expected_files": ["result.log"]})
    assert not result.is_done
    assert "result.log" in result.error


async def test_expected_file_behind_a_link(tmp_path: Path) -> None:
    """An expected file must lie in the workspace, wherever a link leads to."""
    result = await play(tmp_path, "ln -s /etc/passwd result", acceptance={"expected_files": ["result"]})
    assert not result.is_done


@pytest.mark.parametrize("gone", ['rm -rf "$PWD"', 'rm -rf "$PWD" && mkdir "$PWD"', 'mv "$PWD" "$PWD.moved"'])
async def test_removed_workspace_is_a_plain_failure(tmp_path: Path, gone: str) -> None:
    """A step that removes its own folder and fails is reported by its exit code."""
    result = await play(tmp_path, f"{gone}; exit 7")
    assert "exit code 7" in result.error
    await expect_law(result)


async def test_step_after_a_removed_workspace(tmp_path: Path) -> None:
    """The step after it fails with a sentence, or works in an empty folder; nothing else is touched."""
    await expect_law(await play(tmp_path, 'rm -rf "$PWD"', "echo x > new"))


async def test_scope_and_expected_files_count_from_the_workspace(tmp_path: Path) -> None:
    """In a workspace below the top of its repository both kinds of paths are relative to it."""
    project = tmp_path / "project"
    prepare_project(project)
    rules = {"allowed_scope": ["app.py"], "acceptance": {"expected_files": ["app.py"]}}
    inside = await play(tmp_path, "echo x >> app.py", project=project, workspace=project / "src", **rules)
    assert inside.is_done, inside.error
    outside = await play(tmp_path, "echo x >> ../README.md", project=project, workspace=project / "src", **rules)
    assert "README.md" in outside.error


NAME = st.binary(min_size=1, max_size=40).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..", b".git")
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAME, min_size=1, max_size=30, unique=True))
def test_any_name(tmp_path_factory: pytest.TempPathFactory, names: list[bytes]) -> None:
    """Files with any names are recorded or named, one by one."""
    folder = tmp_path_factory.mktemp("names")
    given = folder / "given"
    given.mkdir()
    for name in names:
        (given / os.fsdecode(name)).write_bytes(name)
    result = asyncio.run(play(folder, f"cp -a {given}/. ."))
    assert result.is_done, result.error
    asyncio.run(expect_law(result))


async def test_commit_is_whole(tmp_path: Path) -> None:
    """What the commit needs lies in the operator's repository: a clone of it alone has everything."""
    result = await play(tmp_path, "seq 1000 > numbers; git gc -q 2>/dev/null; true")
    branch = result.event.branch or ""
    run_git(tmp_path, "clone", "--quiet", "--no-local", "--branch", branch, str(result.project), "clone")
    assert "1000" == (tmp_path / "clone" / "numbers").read_text().splitlines()[-1]
