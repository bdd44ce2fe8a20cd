"""The customers: who they are, when they come, what they take, how they pay. Drawn once from a fixed seed."""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from stdnum import luhn
from stdnum.at import uid
from stdnum.es import cif
from stdnum.iso7064 import mod_11_10
from stdnum.nl import bsn

from customers.services.customers import CustomerSpec
from demo.names import LONG_FIRMS, PLACES, Place

SEED = 2026
#: How many of each country.
SHARES = {"DE": 150, "FR": 38, "IT": 30, "ES": 28, "NL": 22, "AT": 12, "CH": 8, "US": 12}
STARTS = (1, 8, 15, 22)
"""Days of the month on which contracts start, as sales likes them."""
#: How they pay, and how many of a hundred do: days after the invoice or the due day are drawn for each invoice.
HABITS = {"prompt": 46, "due": 34, "late": 17, "slow": 3}


@dataclass(frozen=True)
class Person:
    """A customer to come: `joins_on` is the first day, `plan` the code of what they take."""

    spec: CustomerSpec
    joins_on: date
    plan: str
    quantity: Decimal | None = None
    leaves_on: date | None = None
    """The day they give notice."""
    reason: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)


def generate(first: date, today: date) -> list[Person]:
    """The customers in the order they come, from the first day to today; the same for the same two days."""
    draw = random.Random(SEED)  # noqa: S311  a story, no secret
    span = (today - first).days
    countries = [code for code, count in SHARES.items() for _ in range(count)]
    draw.shuffle(countries)
    taken: set[str] = set()
    # More come from year to year.
    offsets = sorted(int(span * draw.random() ** 0.8) for _ in countries)
    return [
        _person(draw, number, country, _starting(first + timedelta(days=min(offset, span - 25))), today, taken)
        for number, (country, offset) in enumerate(zip(countries, offsets, strict=True))
    ]


def _starting(day: date) -> date:
    """The day itself or the next on which contracts start: the 1st, 8th, 15th or 22nd."""
    while day.day not in STARTS:
        day += timedelta(days=1)
    return day


def _person(draw: random.Random, number: int, country: str, joins_on: date, today: date, taken: set[str]) -> Person:
    place = PLACES[country]
    is_person = country in ("DE", "FR", "AT", "ES") and draw.random() < 0.2
    first, last = draw.choice(place.words("first")), draw.choice(place.words("last"))
    if is_person:
        name = f"{first} {last}"
    elif country in ("DE", "FR") and number % 31 == 7:
        name = LONG_FIRMS[(number // 31) % len(LONG_FIRMS)]
    else:
        name = _firm(draw, place, last)
    while name in taken:
        name = f"{first} {last} jun." if is_person else f"{name.partition(' ')[0]} {_firm(draw, place, last)}"
        first = draw.choice(place.words("first"))
    taken.add(name)
    fields = _fields(draw, number, place, country, name, is_person)
    spec = CustomerSpec(
        name=name,
        kind="person" if is_person else "company",
        address=_address(draw, place, country, first, last, is_person),
        contacts=[
            {
                "name": f"{first} {last}",
                "email": fields["email"],
                "role": "owner",
                "phone": _phone(place, number),
            }
        ],
        fields=fields,
    )
    plan = _plan(draw, is_person)
    quantity = Decimal(draw.choice((1, 2, 2, 3, 3, 4, 5, 8, 12))) if plan.startswith("team") else None
    leaves_on, reason = _leaving(draw, joins_on, today)
    return Person(spec, joins_on, plan, quantity, leaves_on, reason)


def _firm(draw: random.Random, place: Place, last: str) -> str:
    trade, form = draw.choice(place.words("trades")), draw.choice(place.words("forms"))
    return f"{trade} {last} {form}" if draw.random() < 0.7 else f"{last} {trade} {form}"


def _phone(place: Place, number: int) -> str:
    """A number that nobody has; where there are a hundred of them, two may share one."""
    return place.phone.format(number % (1000 if "{:03}" in place.phone else 100))


def _fields(draw: random.Random, number: int, place: Place, country: str, name: str, is_person: bool) -> dict[str, Any]:
    habit = draw.choices(list(HABITS), list(HABITS.values()))[0]
    fields: dict[str, Any] = {
        "email": f"{_letters(name)[:30].strip('-')}-{number + 1}@{country.lower()}.example",
        "phone": _phone(place, number),
        "language": place.language,
        "currency": place.currency,
        "external_id": f"CRM-{10_000 + number * 7}",
        "metadata": {"pays": habit},
    }
    if country == "US":
        fields["time_zone"] = place.zone
    if not is_person and country not in ("CH", "US") and draw.random() < 0.93:
        fields["vat_id"] = vat_id(draw, country)
        fields["vat_state"] = draw.choices(("valid", "pending", "invalid"), (94, 4, 2))[0]
    if not is_person and draw.random() < 0.15:
        fields["po_reference"] = f"PO-{draw.randrange(1000, 9999)}/{draw.choice('ABCX')}"
    if not is_person and draw.random() < 0.08:
        fields["payment_terms_days"] = 30
    return fields


def _address(draw: random.Random, place: Place, country: str, first: str, last: str, is_person: bool) -> dict[str, Any]:
    code, town, region = draw.choice(place.towns)
    house, street = draw.randrange(1, 180), draw.choice(place.words("streets"))
    line = f"{street} {house}" if country in ("DE", "AT", "CH", "NL", "IT") else f"{house} {street}"
    lines = [line]
    if not is_person and draw.random() < 0.12:
        lines = ["Abteilung Einkauf" if place.language == "de" else "Accounts Payable", "3. OG / 3rd floor", line]
    return {
        "recipient": f"{first} {last}" if draw.random() < 0.1 and not is_person else "",
        "lines": lines,
        "postal_code": code,
        "city": town,
        "region": region,
        "country": country,
    }


def _plan(draw: random.Random, is_person: bool) -> str:
    if is_person:
        return draw.choices(("home", "home-yearly"), (40, 60))[0]
    plans = {"team": 30, "team-yearly": 26, "studio": 24, "archive": 8, "calendar": 8, "classic": 4}
    return draw.choices(list(plans), list(plans.values()))[0]


def _leaving(draw: random.Random, joins_on: date, today: date) -> tuple[date | None, str]:
    """About a sixth leave again, after some months at least."""
    if draw.random() > 0.17:
        return None, ""
    day = joins_on + timedelta(days=draw.randrange(75, 500))
    reason = draw.choice(("too_expensive", "not_used", "missing_features", "switching", "other"))
    return (day, reason) if day < today - timedelta(days=40) else (None, "")


def _letters(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "firma"


def vat_id(draw: random.Random, country: str) -> str:
    """A VAT id with right check digits, from ranges that start with 99: nobody's.

    >>> vat_id(random.Random(1), "DE")[:4]
    'DE99'
    """
    digits = f"99{draw.randrange(10**6):06}"
    if country == "DE":
        return f"DE{digits}{mod_11_10.calc_check_digit(digits)}"
    if country == "FR":
        siren = digits + luhn.calc_check_digit(digits)
        return f"FR{(12 + 3 * (int(siren) % 97)) % 97:02}{siren}"
    if country == "IT":
        body = f"99{draw.randrange(10**5):05}015"
        return f"IT{body}{luhn.calc_check_digit(body)}"
    if country == "ES":
        body = f"B99{draw.randrange(10**5):05}"
        return f"ES{body}{cif.calc_check_digits(body)[0]}"
    if country == "AT":
        body = f"99{draw.randrange(10**5):05}"
        return f"ATU{body}{uid.calc_check_digit(f'U{body}')}"
    if country == "NL":
        return f"NL{_bsn(draw)}B01"
    raise LookupError(country)


def _bsn(draw: random.Random) -> str:
    while True:
        number = f"99{draw.randrange(10**7):07}"
        if bsn.is_valid(number):
            return number


#: Seats where a plan counts them and nobody said how many.
SEATS = Decimal(3)
