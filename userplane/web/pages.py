"""The marketplace's pages: plain HTML that works without scripts. Every value that comes from outside is escaped."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from userplane.common.risk import CHOICES, EXCESSES_EUR, RANGES
from userplane.web.store import Policy, Quote

TAGLINE = "Three insurers, one form, one minute."

LABELS: Mapping[str, str] = {
    "driver_age": "Driver's age",
    "licence_years": "Years with a licence",
    "vehicle": "Vehicle",
    "vehicle_value": "Its value in €",
    "region": "Where it is parked",
    "annual_km": "Kilometres a year",
    "cover": "Cover",
    "claims": "Claims in five years",
    "customer_years": "Years with us",
    "excess": "Excess in €",
}
EXAMPLE: Mapping[str, str] = {
    "driver_age": "38",
    "licence_years": "15",
    "vehicle": "family",
    "vehicle_value": "14000",
    "region": "suburb",
    "annual_km": "12000",
    "cover": "comprehensive",
    "claims": "0",
    "customer_years": "0",
    "excess": "300",
}
STYLE = """
:root { color-scheme: light dark;
  --ink: light-dark(#17212b, #e8edf2); --soft: light-dark(#5b6b7a, #9fb0c0); --ground: light-dark(#f4f6f8, #11171d);
  --card: light-dark(#fff, #1a232c); --line: light-dark(#d9e0e6, #2c3843); --accent: light-dark(#0b6e4f, #4fd1a1) }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
header, main, footer { max-width: 46rem; margin: 0 auto; padding: 1rem }
header { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline }
header b { font-size: 1.15rem } a { color: var(--accent) } nav { margin-left: auto } nav a { margin-left: 1rem }
section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem; margin: 0 0 1rem }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem } p { margin: .25rem 0 1rem } .soft, footer { color: var(--soft) }
.fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .75rem 1rem; margin-bottom: 1rem }
label { display: grid; gap: .2rem; font-size: .9rem } .problem { color: light-dark(#b3261e, #ff9a8f) }
input, select, button { font: inherit; color: inherit; padding: .5rem .6rem; border-radius: .5rem; border: 1px solid var(--line) }
input, select { background: var(--ground) }
button { background: var(--accent); color: var(--card); border: 0; padding: .55rem 1rem; cursor: pointer }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
table { width: 100%; border-collapse: collapse }
th, td { text-align: left; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line) }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
"""


def form_page(values: Mapping[str, str] = EXAMPLE, problems: Mapping[str, str] | None = None) -> str:
    """The form to request a quote, filled with `values`, with a word at each field that has a problem."""
    found = problems or {}
    fields = "".join(_field(name, values.get(name, ""), found.get(name)) for name in LABELS)
    note = '<p class="problem" role="alert">Some answers need another look.</p>' if found else ""
    return _page(
        "Insure your car",
        f'<section><h1>Insure your car</h1><p class="soft">{escape(TAGLINE)}</p>{note}'
        f'<form method="post" action="/quotes"><div class="fields">{fields}</div><button>Compare offers</button></form></section>',
    )


def quote_page(quote: Quote, now_s: float) -> str:
    """A quote with its offers, cheapest first, each with a button to buy it while the quote is valid."""
    valid = quote.valid_until_s >= now_s
    rows = "".join(_offer_row(quote.id, offer, valid) for offer in quote.answer["offers"])
    facts = ", ".join(f"{LABELS[name].lower()}: {value}" for name, value in quote.risk.items() if name in LABELS)
    validity = f"Valid until {_clock(quote.valid_until_s)}." if valid else "No longer valid: please ask for a new quote."
    return _page(
        "Your quote",
        f"<section><h1>Your offers</h1><p class='soft'>{escape(validity)} Tariff edition {escape(str(quote.answer['tariff_edition']))}.</p>"
        f"<table><thead><tr><th>Insurer</th><th class='number'>a year</th><th></th></tr></thead><tbody>{rows}</tbody></table></section>"
        f"<section><p class='soft'>You told us: {escape(facts)}.</p><a href='/'>Change something</a></section>",
    )


def policies_page(policies: Sequence[Policy]) -> str:
    """The newest policies."""
    rows = "".join(
        f"<tr><td>{escape(policy.id)}</td><td>{escape(policy.insurer)}</td><td>{_clock(policy.bought_at_s)}</td>"
        f"<td class='number'>{policy.premium:,.2f} €</td></tr>"
        for policy in policies
    )
    heads = "<tr><th>Policy</th><th>Insurer</th><th>Bought</th><th class='number'>a year</th></tr>"
    table = (
        f"<table><thead>{heads}</thead><tbody>{rows}</tbody></table>"
        if rows
        else "<p class='soft'>None yet. <a href='/'>Request a quote</a> to begin.</p>"
    )
    return _page("Policies", f"<section><h1>Policies</h1>{table}</section>")


def message_page(title: str, text: str) -> str:
    """A page that says one thing, such as why something did not work."""
    return _page(title, f"<section><h1>{escape(title)}</h1><p>{escape(text)}</p><a href='/'>Request a quote</a></section>")


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Insurance Marketplace</title><style>{STYLE}</style></head><body>"
        f'<header><b>Insurance Marketplace</b><nav><a href="/">Quote</a><a href="/policies">Policies</a></nav></header>'
        f"<main>{body}</main><footer>A demonstration: no insurance is sold here.</footer></body></html>"
    )


def _field(name: str, value: str, problem: str | None) -> str:
    choices = [str(excess) for excess in EXCESSES_EUR] if name == "excess" else CHOICES.get(name)
    if choices is not None:
        options = "".join(f"<option{' selected' if choice == value else ''}>{escape(choice)}</option>" for choice in choices)
        control = f'<select name="{name}">{options}</select>'
    else:
        low, high = RANGES[name]
        control = f'<input name="{name}" type="number" min="{low}" max="{high}" required value="{escape(value)}">'
    note = f'<span class="problem">{escape(problem)}</span>' if problem else ""
    return f"<label>{escape(LABELS[name])}{control}{note}</label>"


def _offer_row(quote_id: str, offer: Mapping[str, Any], valid: bool) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in (("quote_id", quote_id), ("carrier", offer["carrier"]))
    )
    buy = f'<form method="post" action="/policies">{hidden}<button>Buy</button></form>' if valid else ""
    return f"<tr><td>{escape(offer['insurer'])}</td><td class='number'>{offer['premium']:,.2f} €</td><td class='number'>{buy}</td></tr>"


def _clock(at_s: float) -> str:
    return time.strftime("%-d %B, %H:%M UTC", time.gmtime(at_s))
