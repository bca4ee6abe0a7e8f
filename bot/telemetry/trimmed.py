"""Protobuf messages that declare only what is read of a span to count it, made at runtime: the rest is skipped without being unfolded.

Attributes and events are declared as bytes: on the wire repeated messages look the same, and most of them need not be unfolded either.
The fields: opentelemetry/proto/trace/v1/trace.proto.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FieldType = descriptor_pb2.FieldDescriptorProto


class _Status(Protocol):
    code: int


class CountedSpan(Protocol):
    """A span as far as it is counted."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    name: str
    kind: int
    start_time_unix_nano: int
    end_time_unix_nano: int
    attributes: list[bytes]
    events: list[bytes]
    status: _Status


class _Parser(Protocol):
    def FromString(self, data: bytes) -> CountedSpan:  # protobuf's name
        """Raises DecodeError."""
        ...


def _counted_span() -> _Parser:
    file = descriptor_pb2.FileDescriptorProto(name="sre_space/counted_span.proto", package="sre_space", syntax="proto3")
    status = file.message_type.add(name="Status")
    _declare(status, (("code", 3, _FieldType.TYPE_INT32),))
    span = file.message_type.add(name="CountedSpan")
    _declare(
        span,
        (
            ("trace_id", 1, _FieldType.TYPE_BYTES),
            ("span_id", 2, _FieldType.TYPE_BYTES),
            ("parent_span_id", 4, _FieldType.TYPE_BYTES),
            ("name", 5, _FieldType.TYPE_STRING),
            ("kind", 6, _FieldType.TYPE_INT32),
            ("start_time_unix_nano", 7, _FieldType.TYPE_FIXED64),
            ("end_time_unix_nano", 8, _FieldType.TYPE_FIXED64),
        ),
    )
    for name, number in (("attributes", 9), ("events", 11)):
        span.field.add(name=name, number=number, type=_FieldType.TYPE_BYTES, label=_FieldType.LABEL_REPEATED)
    span.field.add(name="status", number=15, type=_FieldType.TYPE_MESSAGE, type_name=".sre_space.Status", label=_FieldType.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return cast(_Parser, message_factory.GetMessageClass(pool.FindMessageTypeByName("sre_space.CountedSpan")))


def _declare(message: descriptor_pb2.DescriptorProto, fields: Iterable[tuple[str, int, _FieldType.Type.ValueType]]) -> None:
    for name, number, kind in fields:
        message.field.add(name=name, number=number, type=kind, label=_FieldType.LABEL_OPTIONAL)


COUNTED_SPAN: Final = _counted_span()
