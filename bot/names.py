"""Names that are derived, never random: branches, run titles, commit trailers. A retry finds them; a recurrence does not collide."""

from __future__ import annotations

import re
from dataclasses import dataclass

BRANCH_PREFIX = "sre/"
OFFER_PREFIX = "sre-known/"  # pull requests that only people merge
DIAGNOSE_WORKFLOW = "diagnose.yml"
GUARDRAIL_WORKFLOW = "guardrail.yml"
CURATOR_WORKFLOW = "curator.yml"
HOLD_LABEL = "sre:hold"
HOLD_ALL_LABEL = "sre:hold-all"
NEEDS_HUMAN_LABEL = "sre:needs-human"
CLOSING_NOTICE = "closing"
DUPLICATE_NOTICE = "duplicate"
REVERTED_NOTICE = "fix-reverted"
AUTHOR_NAME = "SRE-Space"
AUTHOR_EMAIL = "sre-space@users.noreply.github.com"

_BRANCH = re.compile(r"sre/([0-9a-f]{12})/([1-9][0-9]{0,9})/([1-9][0-9]{0,2})(-undo)?")


@dataclass(frozen=True)
class FixBranch:
    fingerprint: str
    issue: int
    attempt: int
    undo: bool = False

    def __str__(self) -> str:
        return f"{BRANCH_PREFIX}{self.fingerprint}/{self.issue}/{self.attempt}{'-undo' if self.undo else ''}"


def parse_branch(branch: str) -> FixBranch | None:
    """The incident that a branch belongs to; None when it isn't named like ours."""
    match = _BRANCH.fullmatch(branch)
    return FixBranch(match[1], int(match[2]), int(match[3]), bool(match[4])) if match else None


def diagnosis_title(issue: int, attempt: int) -> str:
    """The run-name of .github/workflows/diagnose.yml: how a run is found again without having written down its id."""
    return f"diagnose #{issue} attempt {attempt}"


def curator_title(issue: int) -> str:
    return f"curate #{issue}"


def closing_issue(attempt: int) -> str:
    """The topic of the notice that we close the incident after this attempt (0: none was needed)."""
    return f"closing after {attempt}"


def merge_refused(sha: str) -> str:
    """The topic of the notice that GitHub refused to merge this head."""
    return f"merge-refused {sha[:12]}"


def trailer(branch: FixBranch) -> str:
    """The last line of our commits: tells our own head from one that a person pushed."""
    return f"SRE-Space: {branch}"
