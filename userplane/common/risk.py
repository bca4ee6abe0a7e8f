"""What a customer tells us about the car to insure, checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

VEHICLES = ("small", "family", "estate", "sports", "van", "electric")
REGIONS = ("city", "suburb", "country", "coast", "mountain")
COVERS = ("liability", "partial", "comprehensive")
EXCESSES_EUR = (0, 150, 300, 500)


class InvalidRisk(ValueError):
    """Input that cannot be quoted. `problems` says for each field what is wrong with it, in the customer's words."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {problem}" for field, problem in problems.items()))
        self.problems = dict(problems)


@dataclass(frozen=True)
class Risk:
    """One car and its driver. Money in euros, times in whole years."""

    driver_age: int
    vehicle: str
    region: str
    cover: str
    licence_years: int = 5
    vehicle_value: int = 12_000
    annual_km: int = 12_000
    claims: int = 0  # in the last five years
    customer_years: int = 0  # 0: a new customer
    excess: int = 300

    def as_json(self) -> dict[str, object]:
        """The fields as JSON values; `parse_risk` reads them back."""
        return asdict(self)


CHOICES: Mapping[str, tuple[str, ...]] = {"vehicle": VEHICLES, "region": REGIONS, "cover": COVERS}
RANGES: Mapping[str, tuple[int, int]] = {
    "driver_age": (17, 99),
    "licence_years": (0, 82),
    "vehicle_value": (500, 150_000),
    "annual_km": (500, 100_000),
    "claims": (0, 20),
    "customer_years": (0, 60),
    "excess": (min(EXCESSES_EUR), max(EXCESSES_EUR)),
}


def parse_risk(fields: object) -> Risk:
    """A Risk from JSON or form fields (numbers may be decimal text). Raises InvalidRisk; unknown fields are ignored."""
    if not isinstance(fields, Mapping):
        raise InvalidRisk({"request": "expected an object with the fields of a quote"})
    defaults = Risk(driver_age=40, vehicle=VEHICLES[0], region=REGIONS[0], cover=COVERS[0])
    required = ("driver_age", "vehicle", "region", "cover")
    problems: dict[str, str] = {}
    texts: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for name, known in CHOICES.items():
        value = fields.get(name)
        if not isinstance(value, str) or value not in known:
            problems[name] = f"choose one of {', '.join(known)}"
        else:
            texts[name] = value
    for name, (low, high) in RANGES.items():
        value = fields.get(name, None if name in required else getattr(defaults, name))
        number = _whole_number(value)
        if number is None or not low <= number <= high:
            problems[name] = f"a whole number from {low} to {high}"
        else:
            numbers[name] = number
    if not problems and numbers["excess"] not in EXCESSES_EUR:
        problems["excess"] = f"choose one of {', '.join(str(excess) for excess in EXCESSES_EUR)}"
    if not problems and numbers["licence_years"] > numbers["driver_age"] - 17:
        problems["licence_years"] = "longer than the driver can have had a licence"
    if problems:
        raise InvalidRisk(problems)
    return Risk(
        driver_age=numbers["driver_age"],
        vehicle=texts["vehicle"],
        region=texts["region"],
        cover=texts["cover"],
        licence_years=numbers["licence_years"],
        vehicle_value=numbers["vehicle_value"],
        annual_km=numbers["annual_km"],
        claims=numbers["claims"],
        customer_years=numbers["customer_years"],
        excess=numbers["excess"],
    )


def _whole_number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.strip().isdigit() and len(value) <= 9:
        return int(value)
    return None
