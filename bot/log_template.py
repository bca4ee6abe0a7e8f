"""The template of a log text: what varies is masked, the place in the code never is (it tells texts apart best)."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "*"
TEMPLATE_CHARS: Final = 200  # of a template that are kept: bounds what a hostile log line can take
_SOURCES: Final = (
    "py|java|kt|scala|groovy|clj|go|rs|js|mjs|cjs|ts|tsx|jsx|rb|php|cs|fs|vb|c|cc|cpp|cxx|h|hpp|swift|m|dart|ex|exs|erl|lua|pl"
)
# `Class#line`, `file.py:123`, `line 123`. Each begins where a word does and is bounded, so that no input makes them slow.
_PLACE: Final = (
    r"(?<![\w.$])[A-Za-z_$][\w.$]{0,120}\#\d{1,7}\b"
    rf"|(?<![\w./\\-])[\w./\\-]{{1,120}}\.(?:{_SOURCES}):\d{{1,7}}\b"
    r"|\bline\ \d{1,7}\b"
)
_VARYING: Final = re.compile(
    rf"""(?P<place>{_PLACE})
    |"[^"]*"?
    |(?<![\w'])'[^']*'
    |\b[0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}\b  # UUID
    |\b0x[0-9a-fA-F]+\b
    |(?<!\w)(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{{8,}}\b  # an id in hexadecimal: at least one digit, else it may be a word
    |(?<![\w-])(?=[\w-]*\d)[\w-]{{20,}}(?:\.[\w-]+)*  # long tokens with digits in them
    |[+-]?\d[\d.,:]*  # numbers, times, addresses, versions
    """,
    re.VERBOSE,
)
_FIRST_PLACE: Final = re.compile(_PLACE)
_SPACE: Final = re.compile(r"\s+")


def place_of(text: str) -> str:
    """The first place in the code that a text names; "" when it names none."""
    found = _FIRST_PLACE.search(text)
    return found[0] if found and not found[0].startswith("line ") else ""


def template_of(text: str, place: str = "", exception_type: str = "", chars: int = TEMPLATE_CHARS) -> str:
    """`text` with numbers, ids and quoted strings masked, bounded; before it the place and the exception's type when it lacks them."""
    masked = _SPACE.sub(" ", _VARYING.sub(lambda match: match["place"] or MASK, text)).strip()
    known = [part for part in (place, exception_type) if part and part not in masked]
    return " ".join([*known, masked])[:chars]
