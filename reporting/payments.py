"""Tries to collect that failed and what brought the money after all: by reason, method, country, try and step.

The rule that matters: a try counts in the time its end became known, a step and what came after it on their own days;
both ends are counted, in the company's days.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from django.db.models import Count, Sum
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from billing.gateways import reasons
from billing.models import Attempt, DunningEntry, DunningStep, Gateway
from billing.services.dunning_words import action_words
from core import clock
from core.design.formats import current_locale
from core.models import Company
from core.replica import reads_replica
from reporting import findings, in_one
from reporting.registry import Spec, register
from reporting.rows_money import dunning_entries, ended_tries
from reporting.shapes import Asked, Column, Figure, Kind, Line, Plot, Report, Rows, Table

State = Attempt.State
KINDS: Final = {
    reasons.SOFT: _("may be temporary"),
    reasons.HARD: _("needs another method"),
    reasons.ASK: _("needs the customer"),
}
NO_COUNTRY: Final = _("without an address")

_ENDED = _("Tries to collect an invoice whose end became known in the time: settled, failed or canceled.")
_FAILED = _("The tries among them that failed: the bank, the provider or the customer refused.")
_AMOUNT = _("What those failed tries asked for; an invoice that was tried twice counts twice.")
_SHARE = _("Failed tries in percent of the tries that settled or failed; canceled ones are left out.")
_RECOVERED = _(
    "Money that came for what was overdue while a dunning case was open, less what was taken back, counted on the day"
    " the case was told of it."
)


@dataclass(slots=True)
class Tries:
    """How many tries ended how, and what the failed ones asked for, in minor units."""

    ended: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    failed_minor: int = 0

    def add(self, state: str, count: int, minor: int) -> None:
        self.ended[state] += count
        self.failed_minor += minor if state == State.FAILED else 0

    @property
    def failed(self) -> int:
        return self.ended[State.FAILED]

    @property
    def settled(self) -> int:
        return self.ended[State.SETTLED]

    @property
    def total(self) -> int:
        return sum(self.ended.values())

    @property
    def share(self) -> Decimal | None:
        """Failed ones in percent of those that settled or failed; None without any."""
        known = self.failed + self.settled
        return (Decimal(self.failed) * 100 / known).quantize(Decimal("0.1"), ROUND_HALF_UP) if known else None


#: (currency told in, key) to what was counted.
Cells = dict[tuple[str, Any], Tries]


@reads_replica
def build(company: Company, asked: Asked) -> Report:
    """Figures `ended`, `failed`, `failed_amount`, `failed_share`, `recovered`; tables `reasons`, `methods`,
    `countries`, `tries`, `steps`."""
    turning = in_one.Turning(company, asked)
    read = _read(company, asked, turning)
    whole = _by(read, lambda row: "")
    by_reason = _by((row for row in read if row.state == State.FAILED), lambda row: row.reason)
    opens = _Opens(asked, turning)
    steps, recovered = _steps(company, asked, turning)
    figures = [
        figure for (currency, _key), tries in sorted(whole.items()) for figure in _figures(currency, tries, opens)
    ]
    if not asked.only:
        figures += [
            Figure("recovered", _("Recovered"), Kind.MONEY, minor, _RECOVERED, currency,
                   rows=opens.of("dunning_money", currency, what="money"))
            for currency, minor in sorted(recovered.items())
        ]  # fmt: skip
    tables = [
        _reasons(by_reason, opens),
        _table("methods", _("By payment method"), Column("method", _("Payment method")), "method",
               _by(read, lambda row: row.method), lambda key: str(Gateway.Kind(key).label), opens),
        _table("countries", _("By country"), Column("country", _("Country"), definition=_(
            "The country of the address that the invoice was written to."
        )), "country", _by(read, lambda row: row.country), country_words, opens),
        _table("tries", _("By number of the try"), Column("number", _("Try"), definition=_(
            "1 is the first try of an invoice, 2 the one after it, and so on; 5 stands for the fifth and later ones."
        )), "number", _by(read, lambda row: row.number), lambda key: key, opens),
    ]  # fmt: skip
    if not asked.only:
        tables.append(steps)
    plots = [
        Plot(_("Failed tries by reason"), "reasons", ["failed_amount"], currency=currency,
             finding=findings.failed(tables[0], currency))
        for currency in sorted({line.currency for line in tables[0].lines})
    ]  # fmt: skip
    return Report(figures, tables, plots, warnings=turning.warnings())


@dataclass(frozen=True, slots=True)
class _Group:
    currency: str
    state: str
    reason: str
    method: str
    country: str
    number: int
    count: int
    minor: int


def _read(company: Company, asked: Asked, turning: in_one.Turning) -> list[_Group]:
    """All that is counted, in one statement, its amounts as they are told."""
    rows = ended_tries(company, asked.first, asked.last)
    names = {"reason": "reason", "method": "gateway__kind", "country": "country"}
    rows = rows.filter(**{names[name]: value for name, value in asked.only.items()})
    month = TruncMonth("closed_at", tzinfo=clock.zone(company.time_zone))
    groups = rows.annotate(month=month).order_by().values_list(
        "currency", "month", "state", "reason", "gateway__kind", "country", "number"
    )  # fmt: skip
    found = []
    for currency, at, state, reason, method, country, number, count, minor in groups.annotate(
        count=Count("pk"), minor=Sum("amount_minor")
    ):
        if turning.wants(currency):
            told, turned = turning.turn(currency, int(minor), in_one.rate_day(at.date(), asked))
            found.append(_Group(told, state, reason, method, country, number, count, turned))
    return found


def _by(groups: Iterable[_Group], key: Callable[[_Group], Any]) -> Cells:
    found: Cells = defaultdict(Tries)
    for row in groups:
        found[row.currency, key(row)].add(row.state, row.count, row.minor)
    return dict(found)


@dataclass(frozen=True, slots=True)
class _Opens:
    """The rows behind the numbers of this report."""

    asked: Asked
    turning: in_one.Turning

    def of(self, source: str, currency: str, **more: str) -> Rows | None:
        if not self.turning.opens(currency):
            return None
        time = {"first": self.asked.first.isoformat(), "last": self.asked.last.isoformat()}
        return Rows(source, {**time, "currency": currency, **self.asked.only, **more})


def _figures(currency: str, tries: Tries, opens: _Opens) -> list[Figure]:
    failed = {"state": State.FAILED.value}
    return [
        Figure("ended", _("Tries"), Kind.COUNT, tries.total, _ENDED, currency, better="",
               rows=opens.of("tries", currency)),
        Figure("failed", _("Failed tries"), Kind.COUNT, tries.failed, _FAILED, currency, better="down",
               rows=opens.of("tries", currency, **failed)),
        Figure("failed_amount", _("Failed amount"), Kind.MONEY, tries.failed_minor, _AMOUNT, currency, better="down",
               rows=opens.of("tries_amount", currency, **failed)),
        Figure("failed_share", _("Share that failed"), Kind.PERCENT, tries.share, _SHARE, currency, better="down"),
    ]  # fmt: skip


def _reasons(cells: Cells, opens: _Opens) -> Table:
    columns = (
        Column("reason", _("Reason")), Column("kind", _("What it needs")),
        Column("failed", _("Failed tries"), Kind.COUNT, is_summed=True),
        Column("failed_amount", _("Failed amount"), Kind.MONEY, is_summed=True, definition=_AMOUNT),
    )  # fmt: skip
    lines = []
    for (currency, code), tries in sorted(cells.items(), key=lambda item: (item[0][0], -item[1].failed, item[0][1])):
        more = {"state": State.FAILED.value, "reason": code}
        rows = {
            "failed": opens.of("tries", currency, **more),
            "failed_amount": opens.of("tries_amount", currency, **more),
        }
        cell = [str(reasons.words_of(code)), str(KINDS[reasons.kind_of(code)]), tries.failed, tries.failed_minor]
        lines.append(Line(cell, currency, _known(rows)))
    return Table("reasons", _("By reason"), columns, lines)


def _table(
    name: str, title: Any, first: Column, condition: str, cells: Cells, words: Callable[[Any], Any], opens: _Opens
) -> Table:
    columns = (
        first,
        Column("ended", _("Tries"), Kind.COUNT, is_summed=True, definition=_ENDED),
        Column("settled", pgettext_lazy("tries to collect", "Settled"), Kind.COUNT, is_summed=True),
        Column("failed", _("Failed tries"), Kind.COUNT, is_summed=True, definition=_FAILED),
        Column("failed_share", _("Share that failed"), Kind.PERCENT, definition=_SHARE),
        Column("failed_amount", _("Failed amount"), Kind.MONEY, is_summed=True, definition=_AMOUNT),
    )
    lines = []
    for (currency, key), tries in sorted(cells.items()):
        where = {condition: str(key)}
        rows = {
            "ended": opens.of("tries", currency, **where),
            "settled": opens.of("tries", currency, **where, state=State.SETTLED.value),
            "failed": opens.of("tries", currency, **where, state=State.FAILED.value),
            "failed_amount": opens.of("tries_amount", currency, **where, state=State.FAILED.value),
        }
        cell = [words(key), tries.total, tries.settled, tries.failed, tries.share, tries.failed_minor]
        lines.append(Line(cell, currency, _known(rows)))
    return Table(name, title, columns, lines)


def _steps(company: Company, asked: Asked, turning: in_one.Turning) -> tuple[Table, dict[str, int]]:
    """Each step of each policy with what came after it and before the next one, and all of it by currency."""
    groups: Any = (
        dunning_entries(company, asked.first, asked.last)
        .annotate(month=TruncMonth("on"))
        .order_by()
        .values_list("case__currency", "step_id", "month", "action", "result")
        .annotate(count=Count("pk"), minor=Sum("amount_minor"))
    )
    counts: dict[tuple[str, int | None], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    recovered: dict[str, int] = defaultdict(int)
    for currency, step_id, month, action, result, count, minor in groups:
        if not turning.wants(currency):
            continue
        told, turned = turning.turn(currency, int(minor), in_one.rate_day(month, asked))
        if action in ("paid", "returned"):
            counts[told, step_id]["paid"] += count if action == "paid" else 0
            counts[told, step_id]["recovered"] += turned
            recovered[told] += turned
        else:
            counts[told, step_id][result] += count
    steps = {row.pk: row for row in DunningStep.objects.filter(
        pk__in={step_id for _currency, step_id in counts if step_id is not None}
    ).select_related("policy")}  # fmt: skip
    opens = _Opens(asked, turning)
    lines = [
        _step_line(currency, steps.get(step_id), step_id, found, opens)
        for (currency, step_id), found in sorted(
            counts.items(), key=lambda item: (item[0][0], _place(steps.get(item[0][1])))
        )
    ]
    columns = (
        Column("policy", _("Policy")), Column("days", _("Days late"), Kind.DAYS),
        Column("step", pgettext_lazy("dunning", "Step")),
        Column("done", pgettext_lazy("dunning steps", "Done"), Kind.COUNT, is_summed=True),
        Column("skipped", _("Passed over"), Kind.COUNT, is_summed=True),
        Column("paid", _("Payments after it"), Kind.COUNT, is_summed=True),
        Column("recovered", _("Recovered"), Kind.MONEY, is_summed=True, definition=_(
            "Money that came after the step was done and before the next one, less what was taken back."
        )),
    )  # fmt: skip
    return Table("steps", _("Recovery by step"), columns, lines), dict(recovered)


def _place(step: DunningStep | None) -> tuple[Any, ...]:
    return ("", -1, 0, 0) if step is None else (step.policy.name, step.days, step.position, step.pk)


def _step_line(
    currency: str, step: DunningStep | None, step_id: int | None, found: Mapping[str, int], opens: _Opens
) -> Line:
    where = {"step": "" if step_id is None else str(step_id)}
    done, skipped = found.get(DunningEntry.Result.DONE, 0), found.get(DunningEntry.Result.SKIPPED, 0)
    rows = {
        "done": opens.of("dunning_steps", currency, what="done", **where),
        "skipped": opens.of("dunning_steps", currency, what="skipped", **where),
        "paid": opens.of("dunning_steps", currency, what="paid", **where),
        "recovered": opens.of("dunning_money", currency, what="money", **where),
    }
    named = [gettext("any"), None, gettext("before any step")] if step is None else [
        step.policy.name, step.days, action_words(step.action)
    ]  # fmt: skip
    return Line([*named, done, skipped, found.get("paid", 0), found.get("recovered", 0)], currency, _known(rows))


def country_words(code: str) -> str:
    """A country in the reader's language."""
    return str(current_locale().territories.get(code, code)) if code else str(NO_COUNTRY)


def _known(rows: Mapping[str, Rows | None]) -> dict[str, Rows]:
    return {name: found for name, found in rows.items() if found is not None}


register(
    Spec(
        name="payments",
        title=_("Failed payments and recovery"),
        text=_("Which tries to collect failed, why, and what each step of dunning brought back."),
        group="payments",
        build=build,
        dimensions=(
            ("reason", _("Reason")), ("method", _("Payment method")), ("country", _("Country")),
        ),
    )
)  # fmt: skip
