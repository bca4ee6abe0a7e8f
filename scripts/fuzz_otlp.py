"""Fuzzes the decoders of metrics and logs with coverage feedback: `pip install atheris`, then

    python scripts/fuzz_otlp.py [-max_total_time=60] [CORPUS_FOLDER]

from the project's folder; arguments are libFuzzer's. Ends with the input that broke something, and exit code 77, or in silence.
`tests/telemetry/test_fuzz_signals.py` holds the same property for the ordinary test run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["bot.telemetry"]):
    from tests.telemetry.test_fuzz_signals import JSON, LOGS, METRICS, PROTOBUF, take

EXAMPLES = Path(__file__).resolve().parents[1] / "tests" / "telemetry" / "otlp_examples"


def one_input(data: bytes) -> None:
    take(data, JSON if data[:1] in (b"{", b"[") else PROTOBUF)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as seeds:
        for number, seed in enumerate((METRICS, LOGS, *(path.read_bytes() for path in sorted(EXAMPLES.glob("*.json"))))):
            (Path(seeds) / str(number)).write_bytes(seed)
        folders = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
        atheris.Setup([*sys.argv, *([] if folders else [seeds])], one_input)
        atheris.Fuzz()
