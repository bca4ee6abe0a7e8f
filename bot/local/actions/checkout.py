"""`actions/checkout` and `actions/setup-python` as the embedded runner does them."""

from __future__ import annotations

from pathlib import Path

from bot.local.actions.site import ActionFailed, Arguments, JobSite, Outputs
from bot.local.actions.triggers import short_ref

_GIT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_ADVICE": "0"}


async def checkout(site: JobSite, arguments: Arguments) -> Outputs:
    """A real working tree that borrows the bare repository's objects (30 ms where `archive | tar` takes 23).

    The history ends at `fetch-depth` (1 unless stated, 0 for all of it) as on GitHub. `origin` is the repository's web address,
    so that a push from a job cannot go round GitHub's rules.
    """
    wanted = arguments.get("ref") or str(site.github["sha"])
    sha = site.repo.resolve(wanted)
    if sha is None:
        raise ActionFailed(f"a branch, tag or commit {wanted!r} does not exist in {site.repo.full_name}")
    depth = arguments.get("fetch-depth") or "1"
    if not depth.isdigit():
        raise ActionFailed(f"fetch-depth must be a number, not {depth!r}")
    target = site.inside(arguments.get("path") or ".")
    target.mkdir(parents=True, exist_ok=True)
    reused = (target / ".git").exists()
    await site.tool("git", "init", "--quiet", "--template=", str(target), extra_env=_GIT)
    await _fetch(site, target, sha, int(depth))
    branch = _branch_of(site, arguments.get("ref", ""))
    where = ("-B", branch) if branch else ("--detach",)
    await site.tool("git", "checkout", "--quiet", "--force", *where, sha, cwd=target, extra_env=_GIT)
    if reused:
        await site.tool("git", "clean", "-ffdqx", cwd=target, extra_env=_GIT)
    with (target / ".git" / "config").open("a") as config:
        config.write(f'[remote "origin"]\n\turl = {site.repo.web_url}/{site.repo.full_name}\n')
    if arguments.get("persist-credentials", "false") != "false":
        site.log.write("checkout: credentials are never kept here; use the token where you need it")
    site.log.write(f"checkout: {site.repo.full_name} at {sha}")
    return {"commit": sha, "ref": arguments.get("ref") or str(site.github["ref"])}


async def _fetch(site: JobSite, target: Path, sha: str, depth: int) -> None:
    source = site.repo.git_dir.resolve()
    if depth > 1:
        await site.tool("git", "fetch", "--quiet", f"--depth={depth}", f"file://{source}", sha, cwd=target, extra_env=_GIT)
        return
    alternates = target / ".git" / "objects" / "info" / "alternates"
    alternates.parent.mkdir(parents=True, exist_ok=True)
    alternates.write_text(f"{source / 'objects'}\n")
    shallow = target / ".git" / "shallow"
    if depth == 1:
        shallow.write_text(f"{sha}\n")
        return
    shallow.unlink(missing_ok=True)
    refs = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    await site.tool("git", "fetch", "--quiet", str(source), *refs, cwd=target, extra_env=_GIT)


def _branch_of(site: JobSite, ref: str) -> str | None:
    """The local branch to make: only when the ref is a branch of the repository."""
    if not ref:
        full = str(site.github["ref"])
        # For pull_request_target and friends the run's ref is the default branch, whose head may have moved since.
        return short_ref(full) if full.startswith("refs/heads/") else None
    name = ref.removeprefix("refs/heads/")
    return name if site.repo.resolve(f"refs/heads/{name}") else None


async def setup_python(site: JobSite, arguments: Arguments) -> Outputs:
    """The runner's own interpreter is what jobs get; this says which one."""
    versions: list[str] = []
    argv = (site.settings.python, "-c", "import platform; print(platform.python_version())")
    returncode = await site.children.run(argv, cwd=site.folders.workspace, env=site.environment, line=versions.append)
    if returncode != 0 or not versions:
        raise ActionFailed(f"the runner's python {site.settings.python} does not run (exit code {returncode})")
    wanted = arguments.get("python-version")
    asked = f" (the workflow asked for {wanted})" if wanted and not versions[0].startswith(wanted) else ""
    site.log.write(f"setup-python: the runner's Python {versions[0]}{asked}")
    return {"python-version": versions[0], "python-path": site.settings.python}
