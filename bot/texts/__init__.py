"""What people read: issues, pull requests, comments. Short, plain, concrete; telemetry only as data."""

from __future__ import annotations

from bot.texts.escalation import CALLS, escalation
from bot.texts.issue import issue_body, issue_title
from bot.texts.links import Links
from bot.texts.moments import attempt, closing_pull, diagnosis, gone, healthy_before_merge, outcome, verdict
from bot.texts.postmortem import post_mortem
from bot.texts.pull import commit_body, commit_title, merge_message, merge_title, pull_body
from bot.texts.status import next_words, stage, status

__all__ = [
    "CALLS",
    "Links",
    "attempt",
    "closing_pull",
    "commit_body",
    "commit_title",
    "diagnosis",
    "escalation",
    "gone",
    "healthy_before_merge",
    "issue_body",
    "issue_title",
    "merge_message",
    "merge_title",
    "next_words",
    "outcome",
    "post_mortem",
    "pull_body",
    "stage",
    "status",
    "verdict",
]
