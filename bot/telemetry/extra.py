"""Which further attributes of a span are kept to tell bad requests from good ones: few, short, of few values, never secret or personal.

Any key may matter (a customer's tier, a feature flag, a pod), so the choice is by what must not be kept, not by a list of what may:
keys that the span holds already, keys that tell the outcome instead of a cause, keys that name a person or a secret by semantic
convention, and values that look like measurements or free text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from bot.telemetry import limits
from bot.telemetry.attributes import ADDRESS, COMMIT, EXCEPTION_KEYS, PORT, STATUS, Scalar, clean
from bot.telemetry.pool import Pool

Extra = tuple[tuple[str, str], ...]  # (key, value), resource attributes first

_HELD: Final = frozenset({*ADDRESS, *PORT, *STATUS, *COMMIT, *EXCEPTION_KEYS, "service.name", "http.route", "error.type", "peer.service"})
# What an attribute of such a name says is what happened, whom it happened to, or free text (OpenTelemetry semantic conventions).
_NEVER: Final = re.compile(
    r"error|exception|otel\.|telemetry\.|process\.|thread\.|code\.|url\.|enduser\.|user\.|client\.|net(?:work)?\.(?:peer|local|sock|host)"
    r"|server\.|source\.|destination\.|session\.|http\.(?:request|response)\.(?:header|body|size)|http\.(?:url|target|user_agent|status)"
    r"|http\.response|http\.(?:request|response)_content|user_agent\.|db\.(?:query|statement|response|connection_string|user)"
    r"|rpc\.grpc\.status|rpc\.(?:request|response)|messaging\.message\.|span\.|trace\.",
    re.IGNORECASE,
)
_SECRET: Final = re.compile(
    r"secret|passw|passphrase|pwd|token|credential|authorization|cookie|session|signature|api[._-]?key|private[._-]?key"
    r"|e-?mail|phone|iban|ssn|birth|address|latitude|longitude",
    re.IGNORECASE,
)
# They say where a request ran; first of all, so that no flood of an application's own keys can displace them.
_FIRST: Final = frozenset(
    {
        "service.instance.id",
        "service.namespace",
        "deployment.environment.name",
        "deployment.environment",
        "deployment.id",
        "host.name",
        "k8s.pod.name",
        "k8s.node.name",
        "k8s.deployment.name",
        "k8s.cluster.name",
        "container.name",
        "cloud.region",
        "cloud.availability_zone",
        "faas.version",
        "http.request.method",
        "db.system.name",
        "db.system",
    }
)
_OLD_NAMES: Final = {"http.method": "http.request.method"}


@lru_cache(maxsize=4_096)  # spans say the same few keys again and again
def wanted(key: str) -> bool:
    """Whether attributes of this name may be kept at all."""
    return 0 < len(key) <= limits.EXTRA_KEY_CHARS and key not in _HELD and not _NEVER.match(key) and not _SECRET.search(key)


def extra_of(resource: Iterable[tuple[str, Scalar]], span: Iterable[tuple[str, Scalar]]) -> Extra:
    """At most limits.EXTRA_KEYS attributes of a span and its resource, the span's own value first where both have the key.

    Values longer than limits.EXTRA_VALUE_CHARS are left out, not cut: two cut ones would look the same. So are fractions: measurements.
    """
    found: dict[str, str] = {}
    for pairs in (resource, span):
        for key, value in pairs:
            if (pair := kept(key, value)) is not None:
                found[pair[0]] = pair[1]
    return ranked(found)


def kept(key: str, value: Scalar) -> tuple[str, str] | None:
    """An attribute as it is kept, with its key's present name; None when it is not."""
    key = _OLD_NAMES.get(key, key)
    if isinstance(value, float) or not wanted(key):
        return None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return (key, clean(text, limits.EXTRA_VALUE_CHARS)) if text and len(text) <= limits.EXTRA_VALUE_CHARS else None


def ranked(found: dict[str, str]) -> Extra:
    """The first limits.EXTRA_KEYS of what is kept, those before all that say where a request ran."""
    if len(found) > limits.EXTRA_KEYS:
        first = sorted(found, key=lambda name: name not in _FIRST)[: limits.EXTRA_KEYS]
        found = {name: found[name] for name in first}
    return tuple(found.items())


class Extras:
    """One copy of each repeated set of attributes, and only keys of few values: one whose values never repeat tells nothing apart."""

    def __init__(self) -> None:
        self._sets: Pool[tuple[str, Extra], Extra] = Pool(limits.EXTRA_SETS, limits.STORED_S)
        self._values: Pool[tuple[str, str], Pool[str, tuple[str, str]]] = Pool(limits.EXTRA_NAMES, limits.STORED_S)  # by service and key

    def share(self, service: str, extra: Extra, now_s: float) -> Extra:
        """What of `extra` may be kept, shared with spans that say the same."""
        if not extra:
            return ()
        known = self._sets.get((service, extra), now_s)
        if known is not None:
            return known
        pairs = [self._pair(service, pair, now_s) for pair in extra]
        kept = tuple(pair for pair in pairs if pair is not None)
        if kept == extra:
            self._sets.share((service, kept), kept, now_s)
        return kept

    def _pair(self, service: str, pair: tuple[str, str], now_s: float) -> tuple[str, str] | None:
        name = (service, pair[0])
        values = self._values.get(name, now_s)
        if values is None:
            values = self._values.share(name, Pool(limits.EXTRA_VALUES, limits.STORED_S), now_s)
        return None if values is None else values.share(pair[1], pair, now_s)
