"""Commits a remedy on a branch and opens its pull request. The content follows from the remedy and the base commit alone."""

from __future__ import annotations

from bot import texts
from bot.diagnosis.remedies import build_proposal
from bot.ensure import ReadWriteCode, ensure_branch, ensure_pull
from bot.errors import Conflict, Refused
from bot.facts import Attempt, Facts
from bot.forge import Pull
from bot.model import Proposal, Remedy
from bot.names import AUTHOR_EMAIL, AUTHOR_NAME, FixBranch, trailer
from bot.policy.schema import Policies


class NoProposal(Refused):
    """The remedy means no change on this base: nothing is left to change, or later changes conflict."""


async def create_branch(forge: ReadWriteCode, policies: Policies, f: Facts, attempt: Attempt, *, undo: bool) -> bool:
    """The branch with its one commit; True when it was not there yet. Made twice from the same base it is the same commit."""
    branch = _branch(f, attempt, undo)
    remedy, base_sha, at_s = await _plan(forge, f, attempt, undo)
    proposal = await _built(forge, policies, remedy, base_sha)
    sha = await forge.create_commit(
        parent=proposal.base_sha,
        changes={change.path: change.after for change in proposal.changes},
        message=f"{texts.commit_title(remedy, undo)}\n\n{texts.commit_body(f, attempt, undo)}\n\n{trailer(branch)}\n",
        author_name=AUTHOR_NAME,
        author_email=AUTHOR_EMAIL,
        at_s=at_s,
    )
    return await ensure_branch(forge, str(branch), sha)


async def open_pull(
    forge: ReadWriteCode, policies: Policies, links: texts.Links, f: Facts, attempt: Attempt, *, undo: bool
) -> tuple[Pull, bool]:
    """Opened once it is complete: the branch stands, the diff is known, the text says what and why. True when it was not there yet."""
    branch = _branch(f, attempt, undo)
    head = attempt.undo_branch_sha if undo else attempt.branch_sha
    if head is None:
        raise Conflict("the branch is gone: look again")
    remedy, _, _ = await _plan(forge, f, attempt, undo)
    parent = (await forge.commit(head)).parents[0]
    proposal = await _built(forge, policies, remedy, parent)
    author = await guilty_author(forge, remedy, undo)
    title = texts.commit_title(remedy, undo)
    body = texts.pull_body(f, attempt, proposal, links, undo=undo, author=author)
    return await ensure_pull(forge, branch=str(branch), base=f.default_branch, title=title, body=body)


async def _built(forge: ReadWriteCode, policies: Policies, remedy: Remedy, base_sha: str) -> Proposal:
    try:
        return await build_proposal(forge, policies, remedy, base_sha)
    except Refused as problem:
        raise NoProposal(str(problem)) from problem


async def guilty_author(forge: ReadWriteCode, remedy: Remedy, undo: bool) -> str:
    """The login to tell, kindly, that their change is being reverted; "" for our own and for unknown ones."""
    return "" if undo or remedy.kind != "revert" else (await forge.commit(remedy.commit)).author_login


async def _plan(forge: ReadWriteCode, f: Facts, attempt: Attempt, undo: bool) -> tuple[Remedy, str, float]:
    if undo:
        if attempt.pull is None or attempt.outcome is None:
            raise Conflict("nothing to undo: look again")
        base = await forge.branch_sha(f.default_branch)
        if base is None:
            raise Conflict("the default branch is gone: look again")
        merged = attempt.pull.pull
        return Remedy("revert", commit=merged.merge_sha, summary=f"undo #{merged.number}"), base, attempt.outcome.at_s
    if attempt.diagnosis is None or attempt.diagnosis.diagnosis.remedy is None:
        raise Conflict("no remedy recorded: look again")
    return attempt.diagnosis.diagnosis.remedy, attempt.diagnosis.base_sha, attempt.record.started_s


def _branch(f: Facts, attempt: Attempt, undo: bool) -> FixBranch:
    if f.issue is None:
        raise Conflict("the incident's issue is gone: look again")
    return FixBranch(f.fingerprint, f.issue.number, attempt.number, undo)
