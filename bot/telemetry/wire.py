"""Walks the outer levels of a protobuf message without building it, so that only single records are ever unfolded.

A parsed message takes up to 35 times its bytes (two bytes make an empty one): a body that is small enough to accept could take a
gigabyte. Walked field by field, within a budget, and parsed record by record, it takes no more than its largest record.
The format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from google.protobuf.message import DecodeError, Message

from bot.errors import Refused
from bot.telemetry import limits

M = TypeVar("M", bound=Message)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
TOO_MANY_PARTS = "the body has too many parts: send smaller batches"
_LONGEST_VARINT = 10  # bytes


class Field(NamedTuple):
    """One field of a message. `value` of a varint; else the field's content is [begin, end) of the body."""

    number: int
    begin: int
    end: int
    value: int = -1


class Wire:
    """A protobuf body, walked at most `fields` fields far. All methods raise Refused when it is truncated, no protobuf or too long."""

    def __init__(self, body: bytes, fields: int = limits.WALKED_FIELDS) -> None:
        self._body = body
        self._left = fields

    def charge(self, parts: int) -> None:
        """Counts what was unfolded of a record as if it had been walked."""
        self._left -= parts
        if self._left < 0:
            raise Refused(TOO_MANY_PARTS)

    def fields(self, of: Field | None = None) -> Iterator[Field]:
        """The varints and length-delimited fields of the whole body, or of a length-delimited field of it."""
        at, end = (of.begin, of.end) if of else (0, len(self._body))
        while at < end:
            self.charge(1)
            tag, at = self._varint(at, end)
            kind = tag & 7
            if kind == _VARINT:
                value, at = self._varint(at, end)
                yield Field(tag >> 3, at, at, value)
            elif kind == _BYTES:
                length, at = self._varint(at, end)
                if length > end - at:
                    raise Refused("the protobuf body is truncated: send it whole")
                yield Field(tag >> 3, at, at + length)
                at += length
            elif kind in (_FIXED64, _FIXED32):
                at += 8 if kind == _FIXED64 else 4
                if at > end:
                    raise Refused("the protobuf body is truncated: send it whole")
            else:
                raise Refused("the body is not OTLP in protobuf: it has a field of an unknown form")

    def messages(self, number: int, of: Field | None = None) -> Iterator[Field]:
        """The length-delimited fields of one number."""
        return (field for field in self.fields(of) if field.number == number and field.value < 0)

    def parse(self, field: Field, kind: type[M]) -> M | None:
        """A field's content as a message; None when it is larger than limits.RECORD_BYTES or damaged."""
        if field.end - field.begin > limits.RECORD_BYTES:
            return None
        try:
            return kind.FromString(self._body[field.begin : field.end])
        except DecodeError:
            return None

    def text(self, field: Field, limit: int) -> str:
        """A string field, cut to about `limit` characters; damaged characters become U+FFFD."""
        return self._body[field.begin : min(field.end, field.begin + 4 * limit)].decode("utf-8", "replace")[:limit]

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        body = self._body
        if at < end and (byte := body[at]) < 0x80:  # most are one byte long
            return byte, at + 1
        value = 0
        for place in range(_LONGEST_VARINT):
            if at + place >= end:
                raise Refused("the protobuf body is truncated: send it whole")
            byte = body[at + place]
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at + place + 1
        raise Refused("the body is not OTLP in protobuf: a number in it does not end")
