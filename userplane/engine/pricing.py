"""The pricing model: the technical premium of a risk is a base premium times one factor for each thing that matters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from userplane.common.risk import Risk

BASE_PREMIUM_EUR: Mapping[str, float] = {"liability": 290.0, "partial": 410.0, "comprehensive": 620.0}


@dataclass(frozen=True)
class Price:
    """A technical premium in euros a year, and the factors that led to it, by name."""

    premium: float
    factors: Mapping[str, float]


def age_factor(driver_age: int) -> float:
    """Young drivers have more accidents, and so have very old ones."""
    if driver_age < 21:
        return 1.9
    if driver_age < 25:
        return 1.45
    if driver_age < 70:
        return 1.0
    return 1.0 + 0.02 * (driver_age - 69)


def experience_factor(licence_years: int) -> float:
    """Each of the first ten years with a licence makes a driver safer."""
    return 1.3 - 0.03 * min(licence_years, 10)


def loyalty_factor(customer_years: int) -> float:
    """Customers who stay pay two per cent less for each year, fifteen per cent at most."""
    return max(0.85, 1.0 - 0.02 * customer_years)


VEHICLE_FACTORS: Mapping[str, float] = {
    "small": 0.88,
    "family": 1.0,
    "estate": 1.04,
    "electric": 1.08,
    "van": 1.22,
    "sports": 1.55,
}


def vehicle_factor(vehicle: str, vehicle_value: int, cover: str) -> float:
    """The kind of vehicle always matters; its value only where our own damage is covered."""
    kind = VEHICLE_FACTORS[vehicle]
    if cover == "liability":
        return kind
    return kind * (0.75 + vehicle_value / 48_000)


REGION_FACTORS: Mapping[str, float] = {
    "city": 1.18,
    "suburb": 1.02,
    "country": 0.9,
    "coast": 1.0,
    "mountain": 1.07,
}


def mileage_factor(annual_km: int) -> float:
    """Who drives more is on the road longer, though not in proportion."""
    return 0.7 + 0.3 * math.sqrt(annual_km / 12_000)


def claims_factor(claims: int) -> float:
    """Each claim of the last five years adds a quarter; none at all takes ten per cent off."""
    return 0.9 if claims == 0 else 1.0 + 0.25 * min(claims, 6)


def excess_factor(excess: int) -> float:
    """Who bears the first part of a damage pays less."""
    return 1.06 - 0.0003 * excess


def price(risk: Risk) -> Price:
    """The technical premium of `risk`."""
    factors = {
        "age": age_factor(risk.driver_age),
        "experience": experience_factor(risk.licence_years),
        "loyalty": loyalty_factor(risk.customer_years),
        "vehicle": vehicle_factor(risk.vehicle, risk.vehicle_value, risk.cover),
        "region": REGION_FACTORS[risk.region],
        "mileage": mileage_factor(risk.annual_km),
        "claims": claims_factor(risk.claims),
        "excess": excess_factor(risk.excess),
    }
    premium = BASE_PREMIUM_EUR[risk.cover]
    for factor in factors.values():
        premium *= factor
    return Price(premium=round(premium, 2), factors={name: round(factor, 3) for name, factor in factors.items()})


# Printed on every quote, so that a customer and an insurer can tell which edition of the tariff a price came from.
TARIFF_EDITION = 14
