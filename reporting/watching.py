"""Saved reports, goals and notes on days: the verbs by which staff watch figures.

The rule that matters: a view is somebody's; others see it once it is shared, and only its owner changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from core.actors import Actor
from core.models import Company, Membership, User
from core.refusal import Refused
from core.services import trail
from pricing.money import to_minor
from reporting import asking, registry
from reporting.models import Annotation, Goal, ReportReader, SavedReport
from reporting.shapes import Kind, Note

KIND: Final = "saved_report"


def seen_by(company: Company, user: User) -> QuerySet[SavedReport]:
    """A person's own views and those that are shared."""
    return SavedReport.objects.filter(company=company).filter(Q(owner=user) | Q(is_shared=True))


def question_of(view: SavedReport) -> dict[str, str]:
    """The words of its address."""
    return dict(parse_qsl(view.query))


def save(
    *,
    company: Company,
    report: str,
    name: str,
    query: Mapping[str, str],
    is_shared: bool,
    is_on_wall: bool,
    every: str,
    readers: Iterable[User],
    view: SavedReport | None = None,
    owner: User,
    by: Actor,
    at: datetime,
) -> SavedReport:
    """Saves a view of a report, or changes one; who doesn't belong to the company is no reader.

    Refuses what `asking.asked_of` does, `report.wall_is_shared` and `report.view_named_twice`.
    """
    spec = registry.named(report)
    kept = {word: value for word, value in sorted(query.items()) if value}
    asking.asked_of(spec, kept, today=at.date())
    if is_on_wall and not is_shared:
        raise Refused("report.wall_is_shared", field="is_on_wall")
    row = view or SavedReport(company=company, owner=owner, created_at=at)
    row.report, row.name, row.query, row.every = report, name, urlencode(kept), every
    row.is_shared, row.is_on_wall = is_shared, is_on_wall
    wanted = {user.pk for user in readers} if every else set()
    members = set(Membership.objects.filter(company=company, user_id__in=wanted).values_list("user_id", flat=True))
    try:
        with transaction.atomic():
            row.save()
            row.readers.exclude(user_id__in=members).delete()
            ReportReader.objects.bulk_create(
                [ReportReader(company=company, view=row, user_id=pk) for pk in sorted(members)], ignore_conflicts=True
            )
            _audit(company, "report.save", row.pk, by, at, {"report": report, "name": name, "every": every})
    except IntegrityError as error:
        if "saved_report_named_once" not in str(error):
            raise
        raise Refused("report.view_named_twice", field="name") from None
    return row


def forget(*, view: SavedReport, by: Actor, at: datetime) -> None:
    """Removes a view; what was mailed of it stays with the mails."""
    with transaction.atomic():
        pk, company, name = view.pk, view.company, view.name
        view.delete()
        _audit(company, "report.forget", pk, by, at, {"name": name})


def set_goal(
    *, company: Company, report: str, figure: str, currency: str, month: date, value: Decimal | None, user: User,
    by: Actor, at: datetime,
) -> None:  # fmt: skip
    """Sets what a figure is to reach by the end of a month, in whole units; None takes the goal away."""
    registry.named(report)
    key = {"company": company, "report": report, "figure": figure, "currency": currency, "month": month.replace(day=1)}
    with transaction.atomic():
        if value is None:
            Goal.objects.filter(**key).delete()
        else:
            Goal.objects.update_or_create(**key, defaults={"value": value, "set_by": user})
        facts: dict[str, Any] = {"report": report, "figure": figure, "currency": currency, "month": str(key["month"])}
        facts["value"] = None if value is None else str(value)
        _audit(company, "goal.set", company.pk, by, at, facts, kind="company")


def goals(company: Company, report: str, month: date) -> dict[tuple[str, str], Goal]:
    """The goals of a report for the end of a month, by figure and currency."""
    rows = Goal.objects.filter(company=company, report=report, month=month.replace(day=1))
    return {(row.figure, row.currency): row for row in rows}


def goal_value(goal: Goal, kind: Kind) -> int | Decimal:
    """A goal as its figure is counted: amounts in minor units, counts whole."""
    if kind is Kind.MONEY:
        return to_minor(goal.value, goal.currency)
    return int(goal.value) if kind is Kind.COUNT else goal.value


def annotate(*, company: Company, on: date, text: str, user: User, by: Actor, at: datetime) -> Annotation:
    """Notes what happened on a day."""
    with transaction.atomic():
        row = Annotation.objects.create(company=company, on=on, text=text, written_by=user)
        _audit(company, "annotation.write", row.pk, by, at, {"on": str(on)}, kind="annotation")
    return row


def unwrite(*, annotation: Annotation, by: Actor, at: datetime) -> None:
    """Takes a note on a day away."""
    with transaction.atomic():
        pk, company = annotation.pk, annotation.company
        annotation.delete()
        _audit(company, "annotation.remove", pk, by, at, {}, kind="annotation")


def notes(company: Company, first: date, last: date) -> list[Note]:
    """What happened in a time, oldest first; a hundred at most."""
    rows = Annotation.objects.filter(company=company, on__range=(first, last)).order_by("on", "pk")[:100]
    return [Note(row.on, row.text) for row in rows]


def _audit(
    company: Company, verb: str, pk: int, by: Actor, at: datetime, facts: dict[str, Any], *, kind: str = KIND
) -> None:
    trail.audit(company_id=company.pk, at=at, by=by, verb=verb, subject_kind=kind, subject_id=pk, facts=facts)
