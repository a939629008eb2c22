"""What `elruso doctor` notices, and that it names the next step in both languages."""

import os
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from events.commands import Commands
from events.connect import Database
from events.task import Step, TaskCreated
from ops.checks.database import check_database
from ops.checks.finding import Finding
from ops.checks.settings import check_settings
from ops.checks.work import check_agent, check_work
from ops.checks.workspace import check_git, check_workspace
from ops.config import Config, read_config
from ops.messages import translate

SETTINGS = read_config({"HOME": "/nonexistent"})


async def findings_of(folder: Path | None) -> list[Finding]:
    """What the check of the workspace finds."""
    return [finding async for finding in check_workspace(replace(SETTINGS, workspace=folder))]


def git(folder: Path, *arguments: str) -> None:
    """Run git, as an operator."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def check_texts(finding: Finding, words: str) -> None:
    """Both texts say it, and name the next step."""
    for language in ("es", "en"):
        assert words in translate(finding.key, "es" if language == "es" else "en", **finding.facts)


async def test_a_workspace_that_tasks_cannot_use_is_named(tmp_path: Path) -> None:
    """No folder, a plain one, one without a commit: faults with the commands to run; a repository: fine."""
    [unset] = await findings_of(None)
    assert "note" == unset.grade
    check_texts(unset, "elruso up --workspace")
    [missing] = await findings_of(tmp_path / "nowhere")
    assert "fault" == missing.grade
    [plain] = await findings_of(tmp_path)
    assert "fault" == plain.grade
    check_texts(plain, "git init")
    git(tmp_path, "init", "-q")
    [empty] = await findings_of(tmp_path)
    assert "fault" == empty.grade
    check_texts(empty, "git commit --allow-empty")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "start")
    assert ["fine"] == [finding.grade for finding in await findings_of(tmp_path)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a repository of somebody else")
async def test_a_workspace_of_somebody_else_is_named(tmp_path: Path) -> None:
    """git's safe.directory refuses it to runners: the command that allows it is in the text."""
    git(tmp_path, "init", "-q")
    os.chown(tmp_path, 65534, 65534)
    os.chown(tmp_path / ".git", 65534, 65534)
    [foreign] = await findings_of(tmp_path)
    assert "fault" == foreign.grade
    check_texts(foreign, f"safe.directory {tmp_path}")


async def test_an_old_git_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs need git 2.32."""
    (tmp_path / "git").write_text("#!/bin/sh\necho git version 2.31.8\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    [old] = [finding async for finding in check_git(SETTINGS)]
    assert "fault" == old.grade
    check_texts(old, "2.31.8")


async def test_variables_that_complete_the_address_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """PGSSLMODE and the like count where a server is given; their names are shown, never their values."""
    monkeypatch.setenv("PGPASSWORD", "s3cr3t")
    given = replace(SETTINGS, database_url="postgresql://me@127.0.0.1/db")
    [note] = [finding async for finding in check_settings(given) if finding.grade == "note"]
    check_texts(note, "PGPASSWORD")
    assert "s3cr3t" not in str(note.facts)
    assert [] == [finding async for finding in check_settings(SETTINGS) if finding.grade == "note"]


async def test_work_that_nobody_does_is_named(database: str) -> None:
    """No runner, no agent: notes; ready tasks without a runner, blocked tasks: faults with their number."""
    config = replace(SETTINGS, database_url=database)
    assert ["note"] == [finding.grade async for finding in check_agent(config)]
    assert ["doctor.no_runner"] == await _keys(config)
    steps = [Step("s", "true")]
    async with Commands(Database(database)) as commands:
        await commands.create_tasks([(f"t{number}", TaskCreated("t", steps=steps)) for number in range(3)], "human:a")
        assert ["doctor.no_runner_for_work"] == await _keys(config)
        await commands.block("t1", "broken", "human:a")
    found = [finding async for finding in check_work(config)]
    assert ["doctor.no_runner_for_work", "doctor.blocked"] == [finding.key for finding in found]
    assert ["fault", "fault"] == [finding.grade for finding in found]
    check_texts(found[1], "elruso task list --status blocked")
    assert 1 == found[1].facts["number"]


async def test_runners_that_take_nothing_are_named(database: str) -> None:
    """All of them are draining: a note, and a fault once something is ready."""
    config = replace(SETTINGS, database_url=database)
    async with Commands(Database(database)) as commands:
        await commands.runner_started("r1", {}, "runner:r1", 60)
        assert ["doctor.runners"] == await _keys(config)
        await commands.runners.drain("r1", None, "human:a")
        assert ["doctor.runners", "doctor.draining"] == await _keys(config)
        await commands.create_tasks([("t", TaskCreated("t"))], "human:a")
    [_, draining] = [finding async for finding in check_work(config)]
    assert "fault" == draining.grade
    check_texts(draining, "elruso runner resume ID")


async def test_a_database_that_can_only_be_read_is_named(database: str) -> None:
    """The server answers, and takes no work: a fault with what makes it writable again."""
    address = database + ("&" if "?" in database else "?") + "default_transaction_read_only=on"
    found = [finding async for finding in check_database(replace(SETTINGS, database_url=address))]
    assert ["doctor.read_only"] == [each.key for each in found if each.grade == "fault"]
    check_texts(found[1], "ALTER SYSTEM RESET default_transaction_read_only")


async def test_an_unfit_runner_is_named(database: str) -> None:
    """Which one, and what is wrong with its machine."""
    fault = {"code": "missing", "path": "/work", "detail": "/work is not there, or no directory"}
    async with Commands(Database(database)) as commands:
        await commands.runner_started("r1", {"unfit": fault}, "runner:r1", 60)
    found = [finding async for finding in check_work(replace(SETTINGS, database_url=database))]
    assert [("fine", "doctor.runners"), ("fault", "doctor.unfit")] == [(each.grade, each.key) for each in found]
    check_texts(found[1], "/work is not there")


async def _keys(config: Config) -> list[str]:
    return [finding.key async for finding in check_work(config)]
