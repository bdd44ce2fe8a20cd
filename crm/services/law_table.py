"""What each country's law wants said before a contract renews, by when, and what follows when it is missed: as data.

The rule that matters: figures and words stand in dated files with their source; the code knows no country.
"""

from __future__ import annotations

import csv
import tomllib
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

_DATA: Final = Path(__file__).resolve().parent.parent / "data"
#: After so many days a person should compare a rule with its source again.
CHECK_AGAIN_DAYS: Final = 365
_MONTH: Final = 31
#: How the law wants it said, by the word in the table's column `channel`.
WAYS: Final[dict[str, str | Promise]] = {
    "dedicated": gettext_lazy("by a letter or mail of its own, with the last day to cancel in a box"),
    "chosen": gettext_lazy("in writing, by text message or the electronic way the consumer chose"),
    "provable": gettext_lazy("in any way that can be proven"),
    "indefinite_only": gettext_lazy(
        "No notice; a contract renews silently only for an indefinite time and then ends with a month's notice at most."
    ),
}


class Law(NamedTuple):
    """A rule about renewals. `earliest` and `latest`: how long before the day it counts from the notice may be sent, as
    PostgreSQL reads an interval; `send_ahead_days`: how long before the latest day it is sent; `max_first_months` and
    `max_notice`: the longest first term and notice that terms for consumers may ask for."""

    code: str
    country: str
    applies_to: str
    valid_from: date
    valid_until: date | None
    needs_notice: bool
    counted_from: str
    earliest: str
    latest: str
    send_ahead_days: int
    max_first_months: int | None
    max_notice: str
    effect: str
    refund_days: int | None
    channel: str
    title: str
    source_url: str
    checked_on: date

    def holds(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_until is None or on <= self.valid_until)

    @property
    def words(self) -> str:
        """When and how the notice is to be given, in the reader's language."""
        way = str(WAYS[self.channel])
        if not self.needs_notice:
            return way
        latest = _("at the latest %(length)s before") % {"length": length(self.latest)}
        if not self.earliest:
            return f"{latest}, {way}"
        return _("%(earliest)s to %(latest)s before, %(way)s") % {
            "earliest": length(self.earliest), "latest": length(self.latest), "way": way,
        }  # fmt: skip

    def is_stale(self, on: date) -> bool:
        """Whether nobody compared it with its source for a year."""
        return on > self.checked_on + timedelta(days=CHECK_AGAIN_DAYS)


def length(text: str) -> str:
    """A length of the table, such as `3 month`, in words."""
    number, unit = text.split()
    count = int(number)
    if unit == "month":
        return ngettext("%(count)s month", "%(count)s months", count) % {"count": count}
    return ngettext("%(count)s day", "%(count)s days", count) % {"count": count}


@lru_cache(maxsize=1)
def laws() -> tuple[Law, ...]:
    """Every rule, by country and day."""
    with (_DATA / "renewal_law.csv").open(encoding="utf-8", newline="") as file:
        rows = [_law(row) for row in csv.DictReader(file)]
    return tuple(sorted(rows, key=lambda law: (law.country, law.valid_from)))


def _law(row: dict[str, str]) -> Law:
    return Law(
        code=row["law"],
        country=row["country"],
        applies_to=row["applies_to"],
        valid_from=date.fromisoformat(row["valid_from"]),
        valid_until=date.fromisoformat(row["valid_until"]) if row["valid_until"] else None,
        needs_notice=row["needs_notice"] == "yes",
        counted_from=row["counted_from"],
        earliest=row["earliest"],
        latest=row["latest"],
        send_ahead_days=int(row["send_ahead_days"] or 0),
        max_first_months=int(row["max_first_months"]) if row["max_first_months"] else None,
        max_notice=row["max_notice"],
        effect=row["effect"],
        refund_days=int(row["refund_days"]) if row["refund_days"] else None,
        channel=row["channel"],
        title=row["title"],
        source_url=row["source_url"],
        checked_on=date.fromisoformat(row["checked_on"]),
    )


def law_of(code: str) -> Law | None:
    """The rule of that name; None for one that is no longer in the table."""
    return next((law for law in laws() if law.code == code), None)


@lru_cache(maxsize=1)
def wording() -> dict[str, dict[str, Any]]:
    """For each rule `language` (the law's own) and, by language, `subject` and `body`."""
    return tomllib.loads((_DATA / "renewal_notices.toml").read_text(encoding="utf-8"))


def against(*, country: str, customer_kind: str, renewal_rule: str, on: date) -> list[Law]:
    """Rules by which a silent renewal for a further fixed term doesn't hold for such a customer."""
    if renewal_rule != "renew":
        return []
    theirs = [law for law in laws() if law.country == country and law.applies_to in (customer_kind, "both")]
    return [law for law in theirs if not law.needs_notice and law.holds(on)]


class Rules(NamedTuple):
    """What a plan says of its contracts: lengths as count and unit."""

    first: tuple[int, str]
    notice: tuple[int, str]
    renewal_rule: str


def doubts(rules: Rules, *, country: str, on: date) -> list[tuple[Law, list[str]]]:
    """What of these rules would not hold towards consumers of that country, in words, by law: hints, not refusals."""
    found = []
    for law in laws():
        if law.country != country or law.applies_to == "company" or not law.holds(on):
            continue
        words = []
        if law.max_first_months is not None and _days(*rules.first) > law.max_first_months * _MONTH:
            words.append(
                _("a first term of more than %(length)s is not valid")
                % {"length": length(f"{law.max_first_months} month")}
            )
        if law.channel == "indefinite_only" and rules.renewal_rule == "renew":
            words.append(_("a silent renewal for a further fixed term is not valid; let it go on without a term"))
        if law.max_notice and _days(*rules.notice) > _days(*_split(law.max_notice)):
            words.append(_("a notice of more than %(length)s is not valid") % {"length": length(law.max_notice)})
        if words:
            found.append((law, words))
    return found


def _split(text: str) -> tuple[int, str]:
    number, unit = text.split()
    return int(number), unit


def _days(count: int, unit: str) -> int:
    """The length in days, months taken as long ones."""
    return count * {"day": 1, "week": 7, "month": _MONTH, "year": 12 * _MONTH}[unit]
