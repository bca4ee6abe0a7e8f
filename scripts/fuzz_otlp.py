"""Fuzzes the readers of traces (the compiled kernel too), metrics and logs with coverage feedback: `pip install atheris`, then

    python scripts/fuzz_otlp.py [-max_total_time=60] [CORPUS_FOLDER]

from the project's folder; arguments are libFuzzer's. Ends with the input that broke something, and exit code 77, or in silence.
`tests/telemetry/test_fuzz_signals.py` and `test_reader.py` hold the same properties for the ordinary test run.
"""

from __future__ import annotations

import random
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["bot.telemetry"]):
    from bot.errors import Refused
    from bot.telemetry.batch import Catalogue
    from bot.telemetry.native import library
    from bot.telemetry.reader import TraceReader
    from tests.telemetry.test_fuzz_signals import JSON, LOGS, METRICS, PROTOBUF, take
    from tests.telemetry.test_reader import assert_same, make_request, readers
    from tests.telemetry.world import T0

KERNEL = library.load()
TRACES = [make_request(random.Random(seed), 4, odd) for seed, odd in enumerate((0.0, 0.05, 0.3))]
EXAMPLES = Path(__file__).resolve().parents[1] / "tests" / "telemetry" / "otlp_examples"


def take_traces(data: bytes, content_type: str) -> None:
    """By Python, and by the kernel where it was built: alike, or refused by the one that looks at more."""
    if KERNEL is None:
        with suppress(Refused):
            TraceReader(Catalogue.of({})).read(data, content_type, T0)
        return
    slow, plain, quick, fast = readers(KERNEL)
    try:
        expected = slow.read(data, content_type, T0)
    except Refused:
        with suppress(Refused):
            quick.read(data, content_type, T0)
        return
    assert_same(quick.read(data, content_type, T0), fast, expected, plain)


def one_input(data: bytes) -> None:
    content_type = JSON if data[:1] in (b"{", b"[") else PROTOBUF
    take(data, content_type)
    take_traces(data, content_type)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as seeds:
        for number, seed in enumerate((METRICS, LOGS, *TRACES, *(path.read_bytes() for path in sorted(EXAMPLES.glob("*.json"))))):
            (Path(seeds) / str(number)).write_bytes(seed)
        folders = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
        atheris.Setup([*sys.argv, *([] if folders else [seeds])], one_input)
        atheris.Fuzz()
