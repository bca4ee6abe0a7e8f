"""Reads trace requests with the kernel, teaches it the names that it has not met, and reads in Python what it leaves."""

from __future__ import annotations

import ctypes
from functools import partial

from google.protobuf.message import DecodeError
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from bot.errors import Refused
from bot.telemetry import limits
from bot.telemetry.attributes import COMMIT, METHOD, REASONS, RESOURCE_KEYS, ROUTE, RawSpan, build_span, first, kind_of, refusal, text
from bot.telemetry.batch import Batch, Catalogue, Finished, Sender, Serving, take
from bot.telemetry.detail import MAX_KEYS
from bot.telemetry.extra import Extra, extra_of
from bot.telemetry.keys import STATUSES, SeriesKey
from bot.telemetry.native.gunzip import Gunzip
from bot.telemetry.native.job import Buffers
from bot.telemetry.native.layout import NO_PLAIN_GZIP, NOTE_WORDS, ODD, OK, ONLY_COUNTS, UNKNOWN_RESOURCES, WHOLE_TRACE, WILDCARD, Pick
from bot.telemetry.otlp import attributes_of, counted_span, scalars, whole_span
from bot.telemetry.sketch import BOUNDS_MS, BUCKETS
from bot.telemetry.span import Kind, Span
from bot.telemetry.steps import ITEMS_PER_STEP, Steps, run_through
from bot.telemetry.trimmed import COUNTED_SPAN
from bot.telemetry.wire import TOO_MANY_PARTS

KIND_CODES: dict[Kind, int] = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
STATUS_CODES = {"ok": 0, "refused": 1, "error": 2}
OPERATION_BYTES = 2 * limits.NAME_CHARS + 1  # longer ones are read in Python each time
MAX_SLOTS = 2_048  # resources that the kernel keeps


class NativeReader:
    """A FastReader. `seed` is of the kernel's hash tables: secret, so that nobody can choose names that collide. Not safe for threads."""

    def __init__(self, library: ctypes.CDLL, catalogue: Catalogue, seed: int, gunzip: Gunzip | None = None) -> None:
        """Without `gunzip` it reads no gzip."""
        self._library, self._read_gzip = library, library.kernel_read_gzip
        self._catalogue = catalogue
        self._kernel = library.kernel_new(seed & 2**64 - 1, BOUNDS_MS.buffer_info()[0], BUCKETS)
        self._services: dict[str, int] = {}
        self._slots: list[tuple[str, str, Extra]] = []  # service, commit, what is kept of the resource's attributes
        self._watched = bytearray(MAX_KEYS)
        self._operations: dict[int, tuple[tuple[str, str], bool]] = {}  # of watched keys: the operation, whether it failed
        self._full: set[tuple[str, Kind, str]] = set()
        self._taught_bytes = 0  # of resources
        self._crowded = False  # a name found no room in the kernel's table
        self._parts = 0  # unfolded of the last request
        self.missed = 0  # spans of the last request that Python had to read to know where they count
        self._buffers = Buffers(catalogue, self._watched, gunzip)
        self._job, self._at = self._buffers.job, self._buffers.at
        self._told, self._notes, self._records = self._buffers.told, self._buffers.notes, self._buffers.records
        self._inflates = gunzip is not None
        self._halvings = -1  # that the kernel's share of kept traces is of
        for service, operation in catalogue.watched:
            for status in STATUSES:
                index = catalogue.keys.index(SeriesKey(service, operation, "server", status))
                self._watched[index] = 1
                self._operations[index] = ((service, operation), status == "error")

    def read(self, body: bytes, now_s: float) -> Batch | None:
        """`steps` without a pause."""
        return run_through(self.steps(body, now_s))

    def read_gzip(self, body: bytes, now_s: float) -> Batch | None:
        if not self._inflates:
            return None
        self._prepare()
        answer = self._read_gzip(self._kernel, self._at, body, len(body), now_s)
        if answer == ONLY_COUNTS:
            return self._counted()
        if answer in (ODD, NO_PLAIN_GZIP):
            return None
        return run_through(self._rest(answer, bytes(self._buffers.room[: self._job.inflated_bytes]), now_s))

    def steps(self, body: bytes, now_s: float) -> Steps[Batch | None]:
        self._prepare()
        answer = self._library.kernel_read(self._kernel, self._at, body, len(body), now_s)
        batch = yield from self._rest(answer, body, now_s)
        return batch

    def _prepare(self) -> None:
        detail = self._catalogue.detail
        if self._crowded:
            self._forget()
        if detail.halvings != self._halvings:
            self._halvings, self._job.share = detail.halvings, detail.share
        self._job.max_forced = detail.forced_left

    def _rest(self, answer: int, body: bytes, now_s: float) -> Steps[Batch | None]:
        """What follows when the kernel has given `answer` to `body`."""
        if answer == UNKNOWN_RESOURCES and self._learn_resources(body):
            answer = self._library.kernel_read(self._kernel, self._at, body, len(body), now_s)
        if answer == ONLY_COUNTS:
            return self._counted()
        if answer != OK:
            return None
        self._parts = 0
        batch = self._counted()
        for reason, n in zip(REASONS, self._job.dropped, strict=True):
            if n:
                batch.dropped[reason] = n
        try:
            if self._job.row_count:
                self._rows_of(batch)
            if self._job.pick_count:
                yield from self._pick(batch, body)
            if self._job.miss_count:
                yield from self._missed(batch, body, now_s)
        except DecodeError:
            return None
        return batch

    def _counted(self) -> Batch:
        """All that there is when the kernel could read every span and none is to be looked at."""
        spans, notes, shed, fingerprint = self._told
        self.missed, self._catalogue.detail.forced_left = 0, self._job.max_forced
        servings = []
        for at in range(0, NOTE_WORDS * notes, NOTE_WORDS):
            slot, servers, first_start, last_start, last_end = self._notes[at : at + NOTE_WORDS]
            if servers:
                service, commit, _ = self._slots[slot]
                servings.append(Serving(service, commit, first_start / 1e9, last_start / 1e9, last_end / 1e9))
        return Batch(self._records[:spans], [], servings, [], {}, shed, fingerprint)

    def _service_of(self, note: int) -> tuple[str, str, Extra]:
        return self._slots[self._notes[NOTE_WORDS * note]]

    def _rows_of(self, batch: Batch) -> None:
        for row in self._buffers.rows[: self._job.row_count]:
            operation, error = self._operations[row.key]
            batch.requests.append(Finished(operation, row.start_s, row.end_s, error, self._service_of(row.note)[1]))

    def _pick(self, batch: Batch, body: bytes) -> Steps[None]:
        """Into the batch what the kernel found worth keeping, as far as there is room."""
        kept = min(self._job.pick_count, limits.DETAIL_PER_REQUEST)
        batch.shed += self._job.pick_count - kept
        for n, pick in enumerate(self._buffers.picks[:kept], 1):
            batch.detail.append(self._picked(body, pick))
            if not n % ITEMS_PER_STEP:
                yield

    def _picked(self, body: bytes, pick: Pick) -> tuple[Span, bool]:
        service, commit, resource = self._service_of(pick.note)
        whole = self._unfold(body[pick.offset : pick.offset + pick.length], resource)
        return build_span(whole, service, commit), bool(pick.flags & WHOLE_TRACE)

    def _unfold(self, sent: bytes, resource: Extra) -> RawSpan:
        parts, span = whole_span(sent, resource)
        self._charge(parts)
        return span

    def _charge(self, parts: int) -> None:
        self._parts += parts
        if self._parts > limits.SPAN_PARTS:
            raise Refused(TOO_MANY_PARTS)

    def _missed(self, batch: Batch, body: bytes, now_s: float) -> Steps[None]:
        """Spans that the kernel left: read here, their key taught. What cannot be used leaves no record."""
        self.missed = self._job.miss_count
        refused: list[int] = []
        senders: dict[int, Sender] = {}
        for n, pick in enumerate(self._buffers.misses[: self._job.miss_count], 1):
            if not n % ITEMS_PER_STEP:
                yield
            service, commit, resource = self._service_of(pick.note)
            sent = body[pick.offset : pick.offset + pick.length]
            message = COUNTED_SPAN.FromString(sent)
            self._charge(limits.PARTS_OF_SPAN + len(message.attributes))
            raw = counted_span(message)
            reason = refusal(raw, service, now_s)
            if reason is not None:
                batch.drop(reason)
                refused.append(pick.ordinal)
                continue
            sender = senders.setdefault(pick.note, Sender(service, commit))
            number, index = take(batch, raw, partial(self._unfold, sent, resource), sender, self._catalogue)
            batch.records[pick.ordinal] = number
            self._learn_key(raw, service, index)
        batch.servings += [serving for sender in senders.values() if (serving := sender.serving()) is not None]
        for ordinal in reversed(refused):
            del batch.records[ordinal]

    def _learn_resources(self, body: bytes) -> bool:
        """False when the kernel cannot read this request: one of its resources is damaged, too large, or finds no room just now."""
        for pick in self._buffers.misses[: self._job.miss_count]:
            raw = body[pick.offset : pick.offset + pick.length]
            if len(raw) > limits.LARGEST_SPAN_BYTES:
                return False
            try:
                resource = Resource.FromString(raw)
            except DecodeError:
                return False
            attributes = attributes_of(resource.attributes, RESOURCE_KEYS)
            service, commit = text(attributes, ("service.name",)), text(attributes, COMMIT, limits.COMMIT_CHARS)
            number = self._services.setdefault(service, len(self._services) + 1) if service else 0
            self._taught_bytes += len(raw)
            if len(self._slots) >= MAX_SLOTS or self._taught_bytes > limits.TAUGHT_RESOURCE_BYTES:
                self._forget()
                return False
            slot = len(self._slots)
            if not self._library.kernel_learn_resource(self._kernel, raw, len(raw), number, slot):
                return False
            self._slots.append((service, commit, extra_of(scalars(resource.attributes), ())))
        return True

    def _forget(self) -> None:
        """Processes come and go, and their resources with them: what is still there is taught again."""
        self._library.kernel_clear(self._kernel)
        self._services.clear()
        self._slots.clear()
        self._full.clear()
        self._taught_bytes, self._crowded = 0, False

    def _learn_key(self, raw: RawSpan, service: str, index: int) -> None:
        key = self._catalogue.keys[index]
        if key.overflow:
            self._learn_overflow(service, key, index)
            return
        code = KIND_CODES[key.kind], STATUS_CODES[key.status]
        self._teach(self._services[service], code, _operation_bytes(raw), index)

    def _teach(self, service: int, code: tuple[int, int], raw: bytes, index: int) -> bool:
        """False when the table is full (many ways to write the same few names): then all is forgotten, and taught as it comes."""
        if len(raw) > OPERATION_BYTES:
            return True  # the kernel leaves them to Python in any case
        taught = bool(self._library.kernel_learn_key(self._kernel, service, *code, raw, len(raw), index))
        self._crowded = self._crowded or not taught
        return taught

    def _learn_overflow(self, service: str, key: SeriesKey, index: int) -> None:
        """From now on every name of the service that is not known counts as this. What the table knows is taught first."""
        if (service, key.kind, key.status) in self._full:
            return
        code = KIND_CODES[key.kind], STATUS_CODES[key.status]
        alike = (own for own in self._catalogue.keys.all() if (own.service, own.kind, own.status) == (service, key.kind, key.status))
        for own in alike:
            if not own.overflow and not self._teach(self._services[service], code, own.operation.encode(), self._catalogue.keys.index(own)):
                return  # else what is known would count as unknown
        self._full.add((service, key.kind, key.status))
        self._library.kernel_learn_key(self._kernel, self._services[service], *code, b"", WILDCARD, index)


def _operation_bytes(raw: RawSpan) -> bytes:
    """The bytes by which the kernel knows the operation: "METHOD route" of a server span that has both, else the name."""
    if kind_of(raw) == "server":
        method, route = first(raw.attributes, METHOD), first(raw.attributes, ROUTE)
        if method and route:
            return f"{method} {route}".encode()
    return raw.name.encode()
