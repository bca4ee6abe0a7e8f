"""A marketplace in which every service and the operation have another name."""

from __future__ import annotations

from pathlib import Path

NEW_NAMES = {
    "marketplace-web": "shopfront",
    "quote-engine": "abacus",
    "carrier-gateway": "switchboard",
    "carrier-alder": "partner-one",
    "carrier-birch": "partner-two",
    "carrier-cedar": "partner-three",
    "CARRIER_ALDER": "PARTNER_ONE",
    "CARRIER_BIRCH": "PARTNER_TWO",
    "CARRIER_CEDAR": "PARTNER_THREE",
    "/quotes": "/offers",
}
RENAMED_FOLDERS = ("userplane", "policies", "render.yaml")


def rename(tree: Path) -> None:
    """Every service and the operation get another name, in code, manifests, policies and blueprint alike."""
    files = [p for name in RENAMED_FOLDERS for p in ([tree / name] if (tree / name).is_file() else sorted((tree / name).rglob("*")))]
    for path in files:
        if path.is_file() and path.suffix in (".py", ".yaml", ".html"):
            text = path.read_text(encoding="utf-8")
            for old, new in NEW_NAMES.items():
                text = text.replace(old, new)
            path.write_text(text, encoding="utf-8")
            path.rename(path.with_name(_renamed(path.name)))


def _renamed(name: str) -> str:
    for old, new in NEW_NAMES.items():
        name = name.replace(old, new)
    return name
