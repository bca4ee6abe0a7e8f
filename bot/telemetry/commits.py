"""Which commit each service answers with, and since when: deploys as the resource attributes of server spans show them."""

from __future__ import annotations

from dataclasses import dataclass

from bot.telemetry import limits
from bot.telemetry.span import Span

LATELY_S = 30.0  # a service that has not answered for this long is not known to serve anything


@dataclass(slots=True)
class Reign:
    """One commit's time as the newest of its service. Starts of its first and last request, end of its last one."""

    commit: str
    first_s: float
    last_start_s: float
    last_s: float
    again_s: float | None = None  # first request since the newer commit fell silent: the start of a roll-back, if it stays silent


class Commits:
    """Reigns per service, oldest first. A roll-back to an earlier commit is a new reign once the newer one was silent for LATELY_S."""

    def __init__(self) -> None:
        self._reigns: dict[str, list[Reign]] = {}
        self._announced: dict[str, list[tuple[str, float]]] = {}  # (commit, when) by service, oldest first: no proof that it serves

    def announce(self, service: str, commit: str, at_s: float) -> None:
        """Somebody else says that the service was deployed from `commit`. Services are those of policies/services.yaml: few."""
        marks = [mark for mark in self._announced.get(service, ()) if mark != (commit, at_s)]
        self._announced[service] = sorted([*marks, (commit, at_s)], key=lambda mark: mark[1])[-limits.COMMITS_PER_SERVICE :]

    def announced(self, service: str, start_s: float, end_s: float) -> list[tuple[str, float]]:
        """(commit, when) of what was said to be deployed in [start_s, end_s], oldest first."""
        return [mark for mark in self._announced.get(service, ()) if start_s <= mark[1] <= end_s]

    def observe(self, span: Span) -> None:
        if span.kind == "server":
            self.answered(span.service, span.commit, span.start_s, span.end_s)

    def answered(self, service: str, commit: str, start_s: float, end_s: float) -> None:
        """A request that `service` answered, made from `commit` ("": it did not say)."""
        if not commit:
            return
        reigns = self._reigns.get(service)
        if reigns is None:
            if len(self._reigns) >= limits.SERVICES:
                del self._reigns[min(self._reigns, key=lambda name: self._reigns[name][-1].last_s)]
            reigns = self._reigns[service] = []
        if reigns and reigns[-1].commit == commit:
            _extend(reigns[-1], start_s, end_s)
            return
        earlier = next((reign for reign in reversed(reigns) if reign.commit == commit), None)
        if earlier is None:
            reigns.append(Reign(commit, start_s, start_s, end_s))
            reigns.sort(key=lambda reign: reign.first_s)
            del reigns[: -limits.COMMITS_PER_SERVICE]
        else:
            _extend(earlier, start_s, end_s)
            self._notice_rollback(reigns, earlier, start_s, end_s)

    def answered_from_to(self, service: str, commit: str, first_start_s: float, last_start_s: float, end_s: float) -> None:
        """The same of several requests, the first and the last of which began then."""
        reigns = self._reigns.get(service)
        if commit and reigns and (newest := reigns[-1]).commit == commit and first_start_s <= last_start_s:
            if first_start_s < newest.first_s:
                newest.first_s = first_start_s
            if last_start_s > newest.last_start_s:
                newest.last_start_s = last_start_s
            if end_s > newest.last_s:
                newest.last_s = end_s
            return
        for start_s in dict.fromkeys((first_start_s, last_start_s)):
            self.answered(service, commit, start_s, end_s)

    def _notice_rollback(self, reigns: list[Reign], earlier: Reign, start_s: float, end_s: float) -> None:
        newest = reigns[-1]
        if start_s <= newest.last_start_s:
            return
        if earlier.again_s is None or earlier.again_s <= newest.last_start_s:
            earlier.again_s = start_s
        if start_s - newest.last_start_s > LATELY_S:
            reigns.append(Reign(earlier.commit, earlier.again_s, start_s, end_s))
            earlier.again_s = None
            del reigns[: -limits.COMMITS_PER_SERVICE]

    def serving(self, service: str, now_s: float) -> tuple[str, float] | None:
        """The newest commit that answered within LATELY_S, and the start of its first request; None when none did."""
        for reign in reversed(self._reigns.get(service, ())):
            if reign.last_s >= now_s - LATELY_S:
                return reign.commit, reign.first_s
        return None

    def since(self, start_s: float) -> list[tuple[str, str, str, float]]:
        """(service, commit, previous commit or "", first request) of all reigns that began at or after `start_s`, oldest first; and, where
        no request has told of it, (service, commit, the one announced before, when it was announced)."""
        found = []
        for service, reigns in self._reigns.items():
            previous = ""
            for reign in reigns:
                if reign.first_s >= start_s:
                    found.append((service, reign.commit, previous, reign.first_s))
                previous = reign.commit
        for service, marks in self._announced.items():
            seen = {reign.commit for reign in self._reigns.get(service, ())}
            previous = ""
            for commit, at_s in marks:
                if at_s >= start_s and commit not in seen:
                    found.append((service, commit, previous, at_s))
                previous = commit
        return sorted(found, key=lambda item: item[3])

    def deployed(self, service: str, before_s: float, within_s: float) -> str:
        """The commit that came into service last in the time before, as its requests or somebody else tell it; "" when none did."""
        since_s = before_s - within_s
        found = [(first_s, commit) for name, commit, previous, first_s in self.since(since_s) if name == service and previous]
        found += [(at_s, commit) for commit, at_s in self.announced(service, since_s, before_s)]
        return max((one for one in found if one[0] <= before_s), default=(0.0, ""))[1]


def _extend(reign: Reign, start_s: float, end_s: float) -> None:
    reign.first_s = min(reign.first_s, start_s)
    reign.last_start_s = max(reign.last_start_s, start_s)
    reign.last_s = max(reign.last_s, end_s)
