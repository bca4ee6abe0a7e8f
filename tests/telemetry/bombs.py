"""Bodies made to unfold, and what reading one takes. Imports little, as a process of its own reads them: that one is small."""

from __future__ import annotations

import resource
from ctypes import CDLL
from multiprocessing import get_context
from multiprocessing.connection import Connection

from bot.errors import Refused
from bot.telemetry import limits
from bot.telemetry.batch import Catalogue
from bot.telemetry.native import library
from bot.telemetry.native.reader import NativeReader
from bot.telemetry.otlp import JSON, PROTOBUF
from bot.telemetry.reader import TraceReader

AT_S = 1_800_000_000.0
BOMB_BYTES = 8 << 20  # a quarter of what may come


def readers(compiled: CDLL | None) -> list[TraceReader]:
    plain, fast = Catalogue.of({}), Catalogue.of({})
    return [TraceReader(plain), *([TraceReader(fast, NativeReader(compiled, fast, seed=3))] if compiled else [])]


def block(tag: int, content: bytes) -> bytes:
    """A length-delimited field."""
    length, rest = b"", len(content)
    while rest > 0x7F:
        length += bytes([rest & 0x7F | 0x80])
        rest >>= 7
    return bytes([tag]) + length + bytes([rest]) + content


def bomb(kind: str) -> tuple[bytes, str]:
    """(body, content type): two bytes of it, or three, make an object."""
    spans = block(0x12, b"\x12\x00" * (BOMB_BYTES // 2))
    match kind:
        case "groups":
            return b"\x0a\x00" * (BOMB_BYTES // 2), PROTOBUF
        case "spans":
            return block(0x0A, spans), PROTOBUF
        case "spans that the kernel leaves":
            return block(0x0A, b"\x0a\x00\x0a\x00" + spans), PROTOBUF
        case "attributes":
            return block(0x0A, block(0x12, block(0x12, b"\x4a\x00" * (BOMB_BYTES // 2)))), PROTOBUF
        case "attributes in many spans":
            span = block(0x12, b"\x4a\x00" * (limits.LARGEST_SPAN_BYTES // 2 - 10))
            return block(0x0A, block(0x12, span * (BOMB_BYTES // len(span)))), PROTOBUF
        case "attributes of resources":
            group = block(0x0A, block(0x0A, b"\x0a\x00" * (limits.LARGEST_SPAN_BYTES // 2 - 10)))
            return group * (BOMB_BYTES // len(group)), PROTOBUF
        case _:
            return b'{"resourceSpans":[' + b"{}," * (BOMB_BYTES // 3) + b"{}]}", JSON


KINDS = (
    "groups",
    "spans",
    "spans that the kernel leaves",
    "attributes",
    "attributes in many spans",
    "attributes of resources",
    "objects",
)


def detonate_each(*, kernel: bool) -> dict[str, float]:
    """By kind: MiB that reading it took at its height, beside the body itself. Each is read in a fork of this process."""
    found, forks = {}, get_context("fork")
    for kind in KINDS:
        receiver, sender = forks.Pipe(duplex=False)
        child = forks.Process(target=_detonate, args=(sender, kind, kernel))
        child.start()
        sender.close()
        found[kind] = receiver.recv()  # EOFError when it died
        child.join()
    return found


def _detonate(sender: Connection, kind: str, kernel: bool) -> None:
    content, content_type = bomb(kind)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reader = readers(library.load() if kernel else None)[-1]
    try:
        batch = reader.read(content, content_type, AT_S)
    except Refused as refused:
        told = str(refused)
    else:
        told = batch.reason
        assert batch.accepted == 0
    assert "too many parts" in told or batch.rejected > 0, told
    sender.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
