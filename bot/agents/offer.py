"""Frequent proven fixes, offered as entries of policies/known.yaml. Only people merge such an offer: policies are theirs."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from bot.diagnosis.lookup import Table
from bot.ensure import ReadWriteCode, ensure_branch, ensure_pull
from bot.errors import Conflict, Refused
from bot.forge import Pull
from bot.model import PostMortem, RemedyKind
from bot.names import AUTHOR_EMAIL, AUTHOR_NAME, OFFER_PREFIX
from bot.policy.load import file_of
from bot.policy.schema import KnownFix, Policies
from bot.policy.strict_yaml import parse

KNOWN = file_of("known")
ISSUES_SHOWN = 20


@dataclass(frozen=True)
class Offer:
    fix: KnownFix
    issues: tuple[int, ...]

    @property
    def branch(self) -> str:
        """Derived from the fix: offered once, and not again when a person closed it."""
        return f"{OFFER_PREFIX}{hashlib.sha256(f'{self.fix.remedy} {self.fix.signature}'.encode()).hexdigest()[:12]}"


def offers(past: Sequence[PostMortem], policies: Policies) -> tuple[Offer, ...]:
    """Fixes that healed `offer_after` incidents or more since they last failed, and that known.yaml does not have yet."""
    known = {(fix.remedy, fix.signature) for fix in policies.known_fixes}
    found = []
    for remedy, signature, record in Table.of(past).records():
        row = record.proven_in_a_row
        if row >= policies.offer_after and remedy in get_args(RemedyKind) and (remedy, signature) not in known:
            issues = record.healed[-row:]
            note = f"healed {', '.join(f'#{issue}' for issue in issues[-ISSUES_SHOWN:])}"
            found.append(Offer(KnownFix(signature, remedy, row, note), issues))
    return tuple(found)


def with_fix(text: str, fix: KnownFix) -> str:
    """known.yaml with one more entry, all else as it was. Raises Refused when its `fixes` are not a list in block form."""
    entry = [f'  - signature: "{fix.signature}"', f"    remedy: {fix.remedy}", f"    healed: {fix.healed}", f'    note: "{fix.note}"']
    top = dict(parse(KNOWN, text).entries())
    lines = text.rstrip("\n").split("\n")
    if "fixes" not in top:
        return "\n".join([*lines, "fixes:", *entry, ""])
    node = top["fixes"].node
    if not top["fixes"].is_list or getattr(node, "flow_style", True) or not top["fixes"].items():
        raise Refused(f"{KNOWN}:{top['fixes'].line}: fixes: write it as a list with one entry a line, so that one can be added")
    indent = " " * node.start_mark.column
    added = [indent + line[2:] for line in entry]
    first = top["fixes"].items()[0].line - 1
    return "\n".join([*lines[:first], *added, *lines[first:], ""])


async def offer_known_fixes(forge: ReadWriteCode, past: Sequence[PostMortem], policies: Policies, now_s: float) -> tuple[Pull, ...]:
    """Opens a pull request for each offer that was never made; those that this call opened."""
    opened = []
    for offer in offers(past, policies):
        if await forge.pulls(branch=offer.branch):
            continue  # open, merged or refused: a person's answer stands
        opened.append(await _open(forge, offer, now_s))
    return tuple(opened)


async def _open(forge: ReadWriteCode, offer: Offer, now_s: float) -> Pull:
    base = await forge.default_branch()
    parent = await forge.branch_sha(base)
    text = await forge.read_file(KNOWN, parent) if parent else None
    if parent is None or text is None:
        raise Refused(f"{KNOWN} is not on the default branch: add it, then try again")
    title = f"Known fix: {offer.fix.remedy} healed the same kind of cause {offer.fix.healed} times"
    sha = await forge.create_commit(
        parent=parent,
        changes={KNOWN: with_fix(text, offer.fix)},
        message=f"{title}\n\n{offer.fix.note}\n",
        author_name=AUTHOR_NAME,
        author_email=AUTHOR_EMAIL,
        at_s=now_s,
    )
    with contextlib.suppress(Conflict):  # left by a call that died before it opened the pull request: the same entry, from an older base
        await ensure_branch(forge, offer.branch, sha)
    pull, _ = await ensure_pull(forge, branch=offer.branch, base=base, title=title, body=_body(offer))
    return pull


def _body(offer: Offer) -> str:
    healed = ", ".join(f"#{issue}" for issue in offer.issues[-ISSUES_SHOWN:])
    return (
        f"The remedy `{offer.fix.remedy}` healed {offer.fix.healed} incidents of one kind in a row, and has not failed since: {healed}.\n\n"
        f"With this entry in `{KNOWN}` CAG counts it as approved by people. Its signature:\n\n```text\n{offer.fix.signature}\n```\n\n"
        "I never merge this myself: policies are yours. Close it to say no; I do not offer it again."
    )
