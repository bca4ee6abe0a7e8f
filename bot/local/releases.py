"""What other developers release on the laptop: one bad release of the marketplace's pricing, and harmless ones after it.

Each is an ordinary change of a file as it is at main, found by anchored snippets; so they can be landed, reverted and landed again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.errors import Refused

PRICING = "userplane/engine/pricing.py"
PAGES = "userplane/web/pages.py"


@dataclass(frozen=True)
class Release:
    """A change that a developer wants on main: `changes` maps a path to the file's whole new text."""

    slug: str
    title: str
    body: str
    changes: Mapping[str, str]


LOYALTY_BEFORE = '''def loyalty_factor(customer_years: int) -> float:
    """Customers who stay pay two per cent less for each year, fifteen per cent at most."""
    return max(0.85, 1.0 - 0.02 * customer_years)
'''
LOYALTY_AFTER = '''def loyalty_factor(customer_years: int, claims: int) -> float:
    """Customers who stay and drive without claims pay up to three per cent less for each year, fifteen per cent at most."""
    claims_a_year = claims / customer_years
    yearly_discount = 0.03 * max(0.0, 1.0 - claims_a_year)
    return max(0.85, 1.0 - yearly_discount * customer_years)
'''
LOYALTY_CALL_BEFORE = '"loyalty": loyalty_factor(risk.customer_years),'
LOYALTY_CALL_AFTER = '"loyalty": loyalty_factor(risk.customer_years, risk.claims),'

TAGLINES = (
    "Three insurers, one form, one minute.",
    "One form, three insurers, the best of their offers.",
    "Compare three insurers in the time it takes to park.",
)
EDITION = re.compile(r"^TARIFF_EDITION = (\d{1,6})$", re.MULTILINE)


def bad_release(read: Callable[[str], str]) -> Release:
    """A refactoring of the loyalty discount that divides by zero for every new customer. `read(path)` gives the text at main.

    Raises Refused when pricing is not as expected, such as when this release is already on main.
    """
    text = _replace_once(read(PRICING), LOYALTY_BEFORE, LOYALTY_AFTER, PRICING)
    text = _replace_once(text, LOYALTY_CALL_BEFORE, LOYALTY_CALL_AFTER, PRICING)
    return Release(
        slug="loyalty-rewards-careful-drivers",
        title="Loyalty discount rewards customers who drive without claims",
        body="The discount for loyal customers now depends on their claims for each year with us: "
        "up to 3 % a year instead of a flat 2 %, the limit of 15 % stays.",
        changes={PRICING: text},
    )


def harmless_releases(read: Callable[[str], str]) -> tuple[Release, Release]:
    """Two changes that break nothing: a page's text, and the tariff's edition (in the bad release's file, at a distance).

    `read(path)` must give the text at main as it is now, with what was released before. Raises Refused when a text is not as expected.
    """
    return _new_tagline(read(PAGES)), _new_edition(read(PRICING))


def _new_tagline(pages: str) -> Release:
    current = next((tagline for tagline in TAGLINES if f'TAGLINE = "{tagline}"' in pages), None)
    if current is None:
        raise Refused(f"{PAGES}: its TAGLINE is none that this release knows; restore the file or adapt the release")
    following = TAGLINES[(TAGLINES.index(current) + 1) % len(TAGLINES)]
    return Release(
        slug="new-tagline",
        title="Say more plainly what the marketplace does",
        body=f"The start page now says: {following}",
        changes={PAGES: _replace_once(pages, f'TAGLINE = "{current}"', f'TAGLINE = "{following}"', PAGES)},
    )


def _new_edition(pricing: str) -> Release:
    found = EDITION.findall(pricing)
    if len(found) != 1:
        raise Refused(f"{PRICING}: expected one line TARIFF_EDITION = N, found {len(found)}; restore the file or adapt the release")
    edition = int(found[0]) + 1
    return Release(
        slug=f"tariff-edition-{edition}",
        title=f"Tariff edition {edition}",
        body=f"Quotes now name edition {edition} of the tariff. No price changes.",
        changes={PRICING: EDITION.sub(f"TARIFF_EDITION = {edition}", pricing)},
    )


def _replace_once(text: str, before: str, after: str, path: str) -> str:
    if text.count(before) != 1:
        first = before.strip().splitlines()[0]
        raise Refused(f"{path}: expected once, found {text.count(before)} times: {first!r}; is this release on main already?")
    return text.replace(before, after)
