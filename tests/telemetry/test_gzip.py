"""Small gzip bodies that the kernel inflates on the way: it takes what zlib would take, says the same of it, and leaves the rest alone."""

from __future__ import annotations

import gzip
import platform
import random
import zlib
from ctypes import CDLL
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.telemetry.batch import Catalogue
from bot.telemetry.native import gunzip
from bot.telemetry.native.job import ROOM_BYTES
from bot.telemetry.native.reader import NativeReader
from tests.telemetry.kernel import compiled_kernel
from tests.telemetry.test_reader import WATCHED, assert_same, make_request
from tests.telemetry.world import T0

HAVE_LIBDEFLATE = ("x86_64", "AMD64", "aarch64", "arm64")  # as in pyproject.toml


@pytest.fixture(scope="module")
def compiled() -> CDLL:
    kernel = compiled_kernel()
    if kernel is None or platform.machine() not in HAVE_LIBDEFLATE:
        pytest.skip("without a compiler and libdeflate every body is inflated before it is read")
    assert gunzip.load() is not None, "the package `deflate` is installed here, and must give what the kernel needs of it"
    return kernel


def readers(compiled: CDLL) -> tuple[NativeReader, Catalogue, NativeReader, Catalogue]:
    plain, fast = Catalogue.of(WATCHED), Catalogue.of(WATCHED)
    return NativeReader(compiled, plain, seed=7), plain, NativeReader(compiled, fast, seed=7, gunzip=gunzip.load()), fast


def packed(body: bytes, level: int = 6, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, 31, strategy=strategy)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_FIXED, zlib.Z_RLE])
def test_however_it_is_packed_it_is_read_like_what_it_holds(compiled: CDLL, strategy: int) -> None:
    rng = random.Random(strategy)
    plain, plain_catalogue, fast, fast_catalogue = readers(compiled)
    for i in range(30):
        body = make_request(rng, rng.randint(0, 20), 0.1)
        expected = plain.read(body, T0 + i)
        found = fast.read_gzip(packed(body, rng.randint(0, 9), strategy), T0 + i)
        assert expected is not None and found is not None
        assert_same(found, fast_catalogue, expected, plain_catalogue)
        assert found.fingerprint == expected.fingerprint


@cache
def unusual() -> dict[str, bytes]:
    body = make_request(random.Random(3), 5, 0.0)
    whole = packed(body)
    return {
        "nothing": b"",
        "two members": whole + packed(b""),
        "the same twice": whole + whole,
        "something behind it": whole + b"\0",
        "its own end behind it": whole + whole[-8:],
        "cut off": whole[:-1],
        "cut off in the middle": whole[: len(whole) // 2],
        "another sum": whole[:-8] + bytes(4) + whole[-4:],
        "another size": whole[:-4] + bytes(4),
        "a file's name in its header": whole[:3] + b"\x08" + whole[4:10] + b"name\0" + whole[10:],
        "a reserved flag": whole[:3] + b"\x80" + whole[4:],
        "not gzip": zlib.compress(body),
        "not packed": body,
        "too much": packed(bytes(ROOM_BYTES + 1)),
        "a bomb": packed(bytes(8 << 20)),
    }


@pytest.mark.parametrize("kind", unusual())
def test_what_is_unusual_is_left_to_others(compiled: CDLL, kind: str) -> None:
    *_, fast, catalogue = readers(compiled)
    assert fast.read_gzip(unusual()[kind], T0) is None
    assert len(catalogue.keys) == len(Catalogue.of(WATCHED).keys), "and nothing of it was learnt"


def test_the_room_can_be_filled_to_its_last_byte(compiled: CDLL) -> None:
    *_, fast, _ = readers(compiled)
    padding = 0x2A  # field 5 of the request, which nobody reads
    body = bytes([padding]) + b"\xfc\xff\x0f" + bytes(ROOM_BYTES - 4)
    assert len(body) == ROOM_BYTES
    batch = fast.read_gzip(packed(body), T0)
    assert batch is not None and batch.accepted == 0


@given(
    seed=st.integers(0, 2**32),
    flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 40),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_damaged_bodies_are_taken_only_where_zlib_takes_them_too(compiled: CDLL, seed: int, flips: list[tuple[int, int]], cut: int) -> None:
    plain, plain_catalogue, fast, fast_catalogue = readers(compiled)
    sent = bytearray(packed(make_request(random.Random(seed), 2, 0.2), 9))
    for at, bits in flips:
        sent[at % len(sent)] ^= bits
    damaged = bytes(sent[: len(sent) - cut] if cut > 30 else sent)
    found = fast.read_gzip(damaged, T0)
    if found is not None:
        expected = plain.read(gzip.decompress(damaged), T0)
        assert expected is not None
        assert_same(found, fast_catalogue, expected, plain_catalogue)


@given(seed=st.integers(0, 2**32), body=st.binary(max_size=2_000))
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_noise_in_gzip_and_noise_that_claims_to_be_gzip_do_no_harm(compiled: CDLL, seed: int, body: bytes) -> None:
    *_, fast, _ = readers(compiled)
    batch = fast.read_gzip(packed(body), T0)
    assert batch is None or batch.accepted == 0
    assert fast.read_gzip(b"\x1f\x8b\x08\x00" + body, T0) is None


def test_without_libdeflate_no_gzip_is_read_here() -> None:
    kernel = compiled_kernel()
    if kernel is None:
        pytest.skip("no compiled kernel here")
    assert NativeReader(kernel, Catalogue.of({}), seed=1).read_gzip(packed(b""), T0) is None
