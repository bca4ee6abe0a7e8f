"""`sre-space recall`: which past incident, in a folder of recorded ones, the present one is like."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bot.errors import Missing, Refused
from bot.rootcause.model import Symptom, Window
from bot.rootcause.reading.window import load_window
from bot.rootcause.resemblance import Past, Recalled, Traits, recall, traits
from bot.rootcause.views import look

MAX_PAST = 500  # incidents of the memory folder that are read
ANSWER_LIMIT_BYTES = 64 * 1024
SHOWN = 5
PROCESSES = 4  # that read past incidents, at most: each may take some 50 MiB
SHARE = 4  # incidents that are worth the start of a process


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    parser = argparse.ArgumentParser(prog="sre-space recall", description=__doc__)
    parser.add_argument("--memory", type=Path, required=True, metavar="DIR", help="past incidents: DIR/ID/incident, DIR/ID/baseline")
    parser.add_argument("--incident", type=Path, required=True, metavar="DIR", help="OTLP files of the present incident")
    parser.add_argument("--baseline", type=Path, required=True, metavar="DIR", help="OTLP files of a healthy stretch before it")
    parser.add_argument("--json", action="store_true", help='print {"hit": ID or null, "score": 0..1}')
    options = parser.parse_args(argv)
    found = recall_folder(options.memory, options.incident, options.baseline)
    print(json.dumps({"hit": found.hit, "score": round(found.score, 6)}) if options.json else _told(found))
    return 0


def recall_folder(memory: Path, incident: Path, baseline: Path, processes: int = PROCESSES) -> Recalled:
    """`processes` is the most that read at a time. Raises Missing when a folder is not there, Refused when a file in it cannot be read."""
    places = _past(memory)
    looks = [(incident, baseline), *((place / "incident", place / "baseline") for place in places)]
    asked, *known = _all_traits(looks, processes)
    past = [Past(place.name, _cause(place / "answer.json"), found) for place, found in zip(places, known, strict=True)]
    return recall(asked, past)


def _all_traits(looks: Sequence[tuple[Path, Path]], most: int) -> list[Traits]:
    """Of each (incident, baseline), in order. Each process reads neighbours, as they often share a baseline."""
    processes = min(most, _processors(), len(looks) // SHARE)
    if processes < 2:
        return _traits(looks)
    shares = [looks[len(looks) * i // processes : len(looks) * (i + 1) // processes] for i in range(processes)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return [found for share in pool.map(_traits, shares) for found in share]


def _traits(looks: Sequence[tuple[Path, Path]]) -> list[Traits]:
    reader = _Reader()
    return [reader.traits(incident, baseline) for incident, baseline in looks]


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Reader:
    """Reads windows; past incidents often share a baseline, so the latest one is kept with the digest of its files."""

    def __init__(self) -> None:
        self._digest = b""
        self._baseline = Window()

    def traits(self, incident: Path, baseline: Path) -> Traits:
        digest = _digest(baseline)
        if digest != self._digest:
            self._digest, self._baseline = digest, _window(baseline)
        return traits(look(_window(incident), self._baseline, Symptom()))


def _window(place: Path) -> Window:
    loaded = load_window(place)
    for note in loaded.notes:
        print(f"sre-space recall: {place}: {note}", file=sys.stderr)
    return loaded.window


def _digest(place: Path) -> bytes:
    """Of names and contents below a folder."""
    whole = hashlib.sha256()
    for path in sorted(one for one in place.rglob("*") if one.is_file()) if place.is_dir() else [place]:
        whole.update(f"{path.relative_to(place)}\0".encode())
        try:
            whole.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as problem:
            raise Refused(f"cannot read {path}: {problem.strerror}") from problem
    return whole.digest()


def _past(memory: Path) -> list[Path]:
    if not memory.is_dir():
        raise Missing(f"there is no folder {memory}: name one with a folder for each past incident")
    found = sorted(place for place in memory.iterdir() if (place / "incident").is_dir())
    if len(found) > MAX_PAST:
        print(f"sre-space recall: only the last {MAX_PAST} of {len(found)} past incidents were read", file=sys.stderr)
    return found[-MAX_PAST:]


def _cause(path: Path) -> str:
    """What the past incident's answer says, as one text to compare; "" when there is none that can be read."""
    try:
        with path.open("rb") as file:
            answer: Any = json.loads(file.read(ANSWER_LIMIT_BYTES))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as problem:
        print(f"sre-space recall: {path} is not used: {problem}", file=sys.stderr)
        return ""
    return json.dumps(answer, sort_keys=True)


def _told(found: Recalled) -> str:
    if not found.ranked:
        return "The memory is empty."
    head = f"It is like {found.hit!r}." if found.hit is not None else "It is like nothing that is remembered."
    return "\n".join([head, *(f"  {near:5.2f}  {id_!r}" for id_, near in found.ranked[:SHOWN])])
