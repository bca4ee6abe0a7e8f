"""What a deploy needs of git: a commit's message and date, and its files in a directory."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from bot.local.render.deploys import Commit

_QUIET_GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


class CheckoutFailed(RuntimeError):
    """git or tar could not produce the files of the commit."""


async def read_commit(git_dir: Path, sha: str) -> Commit:
    """Raises `CheckoutFailed` when the repository does not hold the commit."""
    out = await _run(git_dir, "show", "--no-patch", "--format=%H%x00%cI%x00%B", f"{sha}^{{commit}}")
    commit_id, created_at, message = out.decode("utf-8", "replace").split("\0", 2)
    return Commit(commit_id, message.strip(), created_at)


async def check_out(git_dir: Path, sha: str, into: Path) -> None:
    """The files of exactly that commit, and nothing else, below a new directory. Raises `CheckoutFailed`."""
    await asyncio.to_thread(into.mkdir, parents=True)
    read_end, write_end = os.pipe()
    try:
        archive = await asyncio.create_subprocess_exec(
            "git",
            f"--git-dir={git_dir}",
            "archive",
            "--format=tar",
            sha,
            stdout=write_end,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
        )
        unpack = await asyncio.create_subprocess_exec("tar", "-xf", "-", cwd=into, stdin=read_end, stderr=asyncio.subprocess.PIPE)
    finally:
        os.close(read_end)
        os.close(write_end)
    (_, git_error), (_, tar_error) = await asyncio.gather(archive.communicate(), unpack.communicate())
    if archive.returncode or unpack.returncode:
        raise CheckoutFailed(f"checkout of {sha} failed: {(git_error + tar_error).decode('utf-8', 'replace').strip()}")


async def _run(git_dir: Path, *arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        "git", f"--git-dir={git_dir}", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=_environment()
    )
    out, error = await process.communicate()
    if process.returncode:
        raise CheckoutFailed(f"git {arguments[0]} failed: {error.decode('utf-8', 'replace').strip()}")
    return out


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), **_QUIET_GIT}
