"""git, and the folder that tasks work in."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

from ops.checks.finding import Finding
from ops.config import Config, inherited_environment
from runner.environment import base_environment

OLDEST_GIT = (2, 32)  # GIT_CONFIG_GLOBAL; docs/adr/0024
GIT_SECONDS = 20.0


async def check_git(_config: Config) -> AsyncIterator[Finding]:
    """Whether git is there, and new enough."""
    if shutil.which("git") is None:
        yield Finding("fault", "doctor.no_git")
        return
    printed = (await _git("--version")).stdout
    version = re.search(r"(\d+)\.(\d+)[.\d]*", printed)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        yield Finding("fault", "doctor.old_git", {"version": version[0] if version else printed, "oldest": oldest})


async def check_workspace(config: Config) -> AsyncIterator[Finding]:
    """Whether runs can work on copies of it: a repository with a commit that git lets us read."""
    folder = config.workspace
    if folder is None:
        yield Finding("note", "doctor.workspace_unset")
    elif not folder.is_dir():
        yield Finding("fault", "doctor.no_workspace", {"folder": folder})
    elif shutil.which("git") is not None:
        yield await _examine(folder)


async def _examine(folder: Path) -> Finding:
    facts = {"folder": folder}
    found = await _git("rev-parse", "--git-dir", folder=folder)
    if found.returncode:
        if "dubious ownership" in found.stderr:
            return Finding("fault", "doctor.workspace_foreign", facts)
        if "not a git repository" in found.stderr:
            return Finding("fault", "doctor.workspace_plain", facts)
        return Finding("fault", "doctor.workspace_unreadable", facts | {"detail": found.stderr.strip()})
    head = await _git("rev-parse", "--verify", "--quiet", "HEAD^{commit}", folder=folder)
    if head.returncode:
        return Finding("fault", "doctor.workspace_empty", facts)
    if not os.access(folder, os.W_OK):
        return Finding("fault", "doctor.workspace_read_only", facts)
    return Finding("fine", "doctor.workspace", facts)


async def _git(*arguments: str, folder: Path = Path("/")) -> "subprocess.CompletedProcess[str]":
    """git as a runner calls it: with the harmless part of our environment, and in English."""
    environment = base_environment(inherited_environment()) | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", *arguments]
    try:
        return await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
