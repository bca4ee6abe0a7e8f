"""`actions/upload-artifact`, `actions/download-artifact` and `actions/cache` over folders of the runner."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from bot.local.actions.site import ActionFailed, Arguments, JobSite, Outputs, lines_of

_NAME = re.compile(r"[^\"/\\:<>|*?\r\n]{1,200}")
_WILD = re.compile(r"[*?\[]")


def _artifact_name(arguments: Arguments) -> str:
    name = arguments.get("name") or "artifact"
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise ActionFailed(f"an artifact cannot be called {name!r}")
    return name


async def upload_artifact(site: JobSite, arguments: Arguments) -> Outputs:
    """Keeps files for later jobs of this run; a name can be used once per attempt, as on GitHub."""
    name = _artifact_name(arguments)
    target = site.artifacts / name
    if target.exists():
        raise ActionFailed(f"an artifact called {name!r} already exists in this run")
    absent = arguments.get("if-no-files-found") or "warn"
    if absent not in ("warn", "error", "ignore"):
        raise ActionFailed(f"if-no-files-found must be warn, error or ignore, not {absent!r}")
    root, files = await asyncio.to_thread(_collect, site, lines_of(arguments["path"]))
    if not files:
        message = f"no files were found with the path {arguments['path'].strip()!r}; no artifact is uploaded"
        if absent == "error":
            raise ActionFailed(message)
        if absent == "warn":
            site.log.write(f"::warning::{message}")
        return {}
    await asyncio.to_thread(_copy_files, root, files, target)
    site.log.write(f"upload-artifact: {name}, {len(files)} file{'s' if len(files) > 1 else ''}")
    return {"artifact-id": name}


def _collect(site: JobSite, patterns: Sequence[str]) -> tuple[Path, list[Path]]:
    """The files that the patterns name and the folder to which their names in the artifact are relative."""
    roots: list[Path] = []
    files: set[Path] = set()
    for pattern in patterns:
        if pattern.startswith("!"):
            files -= set(_expand(site, pattern[1:])[1])
            continue
        root, found = _expand(site, pattern)
        if found:
            roots.append(root)
            files.update(found)
    common = Path(os.path.commonpath(roots)) if roots else site.folders.workspace
    return common, sorted(files)


def _expand(site: JobSite, pattern: str) -> tuple[Path, list[Path]]:
    parts = Path(pattern).parts
    fixed = next((position for position, part in enumerate(parts) if _WILD.search(part)), len(parts))
    start = site.inside(str(Path(*parts[:fixed])) if fixed else ".")
    if fixed < len(parts):
        found = [path for match in start.glob(str(Path(*parts[fixed:]))) for path in _files_below(match)]
        return start, [site.inside(str(path)) for path in found]
    found = list(_files_below(start))
    return (start.parent if start.is_file() else start), [site.inside(str(path)) for path in found]


def _files_below(path: Path) -> list[Path]:
    if path.is_dir() and not path.is_symlink():
        return [file for entry in path.iterdir() for file in _files_below(entry)]
    return [path] if path.is_file() and not path.is_symlink() else []


def _copy_files(root: Path, files: Sequence[Path], target: Path) -> None:
    for file in files:
        copy = target / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


async def download_artifact(site: JobSite, arguments: Arguments) -> Outputs:
    """Brings one artifact of this run, or without a name all of them, each in a folder of its name."""
    target = site.inside(arguments.get("path") or ".")
    if arguments.get("name"):
        name = _artifact_name(arguments)
        source = site.artifacts / name
        if not source.is_dir():
            raise ActionFailed(f"there is no artifact called {name!r} in this run")
    else:
        source = site.artifacts
    if source.is_dir():
        await asyncio.to_thread(shutil.copytree, source, target, dirs_exist_ok=True)
    site.log.write(f"download-artifact: {arguments.get('name') or 'all artifacts'}")
    return {"download-path": str(target)}


async def cache(site: JobSite, arguments: Arguments) -> Outputs:
    """Restores a cache now and saves it when the job succeeded; a key is written once.

    Scopes as on GitHub: a run reads what its own ref, its pull request's base and the default branch saved, and writes to its
    own ref only, so that a pull request cannot poison main's cache.
    """
    key, paths = arguments["key"], lines_of(arguments["path"])
    if not key or not paths:
        raise ActionFailed("cache: 'key' and 'path' must not be empty")
    folders = [site.inside(path) for path in paths]
    version = hashlib.sha256("\n".join(paths).encode()).hexdigest()[:16]
    own = str(site.github["ref"])
    scopes = [own, f"refs/heads/{site.repo.default_branch}"]
    if site.github["base_ref"]:
        scopes.insert(1, f"refs/heads/{site.github['base_ref']}")
    wanted = [(key, True), *((prefix, False) for prefix in lines_of(arguments.get("restore-keys", "")))]
    found = await asyncio.to_thread(_find, site, scopes, version, wanted)
    if found is not None:
        await asyncio.to_thread(_restore, found, folders)
        site.log.write(f"cache: restored {(found / 'key').read_text()!r}")
    else:
        site.log.write(f"cache: nothing for {key!r}")
    hit = found is not None and (found / "key").read_text() == key
    if not hit:

        async def save() -> None:
            await asyncio.to_thread(_save, _scope_folder(site, own, version) / _digest(key), key, folders)
            site.log.write(f"cache: saved {key!r}")

        site.after_success.append(save)
    return {"cache-hit": "true" if hit else "false" if found else ""}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _scope_folder(site: JobSite, ref: str, version: str) -> Path:
    return site.settings.workdir / "cache" / _digest(ref) / version


def _find(site: JobSite, scopes: Sequence[str], version: str, wanted: Sequence[tuple[str, bool]]) -> Path | None:
    for scope in dict.fromkeys(scopes):
        folder = _scope_folder(site, scope, version)
        entries = [entry for entry in folder.iterdir() if (entry / "key").is_file()] if folder.is_dir() else []
        entries.sort(key=lambda entry: (entry / "key").stat().st_mtime_ns, reverse=True)
        for text, exact in wanted:
            for entry in entries:
                saved = (entry / "key").read_text()
                if saved == text or (not exact and saved.startswith(text)):
                    return entry
    return None


def _restore(entry: Path, folders: Sequence[Path]) -> None:
    for position, folder in enumerate(folders):
        saved = entry / str(position)
        if saved.is_dir():
            shutil.copytree(saved, folder, dirs_exist_ok=True, symlinks=True)
        elif saved.is_file():
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(saved, folder)


def _save(entry: Path, key: str, folders: Sequence[Path]) -> None:
    if entry.exists():
        return
    entry.parent.mkdir(parents=True, exist_ok=True)
    draft = entry.with_name(f"{entry.name}.{os.getpid()}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for position, folder in enumerate(folders):
        if folder.is_dir():
            shutil.copytree(folder, draft / str(position), symlinks=True)
        elif folder.is_file():
            shutil.copyfile(folder, draft / str(position))
    (draft / "key").write_text(key)
    draft.rename(entry)
