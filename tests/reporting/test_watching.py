"""Saved views, goals and notes: what is kept, and what goes out by mail, to whom and how often."""

from __future__ import annotations

import io
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from core.models import Membership, Role, User
from core.refusal import Refused
from customers.models import Message
from customers.services import messages
from reporting import asking, mailing, registry, watching
from reporting.models import Goal, ReportMail, SavedReport
from reporting.shapes import Asked, Column, Figure, Kind, Line, Report, Table
from tests.factories import BY, a_company

pytestmark = pytest.mark.django_db

MONDAY = date(2026, 11, 16)


def counted(company, asked: Asked) -> Report:
    lines = [Line((asked.first, 1_234), "EUR"), Line((asked.last, -5), "EUR")]
    return Report(
        figures=[Figure("days", "Days", Kind.DAYS, (asked.last - asked.first).days + 1, "Days asked for.")],
        tables=[Table("days", "Days", [Column("day", "Day", Kind.DAY), Column("sum", "Sum", Kind.MONEY)], lines)],
    )


@pytest.fixture
def spec(monkeypatch):
    """A report of its own, for the time of a test."""
    monkeypatch.setattr(registry, "_specs", dict(registry._specs))
    made = registry.Spec("counted", "Counted days", "How many days.", "revenue", counted, dimensions=[("plan", "Plan")])
    registry.register(made)
    return made


def a_reader(company, email="reader@example.com", rights=("report.read",), language="de") -> User:
    user = User.objects.create_user(email, name="Rosa", language=language)
    role = Role.objects.create(company=company, name=email, rights=list(rights))
    Membership.objects.create(company=company, user=user, role=role)
    return user


def morning(day: date, hour: int = 7) -> datetime:
    return datetime.combine(day, time(hour), ZoneInfo("Europe/Berlin"))


def saved(company, user, spec, **more) -> SavedReport:
    given = {"query": {"span": "last_month"}, "is_shared": False, "is_on_wall": False, "every": "", "readers": [user]}
    return watching.save(
        company=company, report=spec.name, name="Mine", owner=user, by=BY, at=morning(MONDAY - timedelta(days=40)),
        **{**given, **more},
    )  # fmt: skip


# Asking -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [
        ("last_month", "2026-10-01", "2026-10-31"),
        ("this_quarter", "2026-10-01", "2026-11-16"),
        ("last_year", "2025-01-01", "2025-12-31"),
        ("", "2025-12-01", "2026-11-16"),
    ],
)
def test_a_span_means_other_days_on_another_day(spec, span, first, last):
    asked = asking.asked_of(spec, {"span": span}, today=MONDAY)
    assert (asked.first.isoformat(), asked.last.isoformat()) == (first, last)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"colour": "red"}, "report.word_unknown"),
        ({"first": "2026-02-30"}, "report.word_wrong"),
        ({"first": "2026-03-02", "last": "2026-03-01"}, "report.days_reversed"),
        ({"first": "1999-01-01"}, "report.too_long"),
        ({"currency": "XYZ"}, "report.word_wrong"),
        ({"by": "moon"}, "report.word_wrong"),
        ({"compare": "year"}, "report.word_wrong"),
    ],
)
def test_what_a_report_does_not_know_is_refused(spec, query, code):
    with pytest.raises(Refused) as refused:
        asking.asked_of(spec, query, today=MONDAY)
    assert refused.value.code == code


def test_a_dimension_can_be_kept_to_one_value(spec):
    assert asking.asked_of(spec, {"plan": "pln_1", "by": "plan"}, today=MONDAY).only == {"plan": "pln_1"}


# Saving -------------------------------------------------------------------------------------------------------------


def test_a_view_is_its_owners_until_it_is_shared(spec):
    company = a_company()
    rosa, tom = a_reader(company), a_reader(company, "tom@example.com")
    view = saved(company, rosa, spec)
    assert [list(watching.seen_by(company, user)) for user in (rosa, tom)] == [[view], []]
    saved(company, rosa, spec, view=view, is_shared=True)
    assert list(watching.seen_by(company, tom)) == [view]


def test_a_name_is_taken_once_by_each_owner(spec):
    company = a_company()
    rosa, tom = a_reader(company), a_reader(company, "tom@example.com")
    saved(company, rosa, spec)
    saved(company, tom, spec)
    with pytest.raises(Refused, match="view_named_twice"):
        saved(company, rosa, spec)


def test_a_view_that_asks_nonsense_is_not_saved(spec):
    company = a_company()
    with pytest.raises(Refused, match="word_unknown"):
        saved(company, a_reader(company), spec, query={"moon": "full"})
    assert not SavedReport.objects.exists()


def test_the_wall_is_for_everybody(spec):
    company = a_company()
    with pytest.raises(Refused, match="wall_is_shared"):
        saved(company, a_reader(company), spec, is_on_wall=True)


def test_a_goal_is_set_changed_and_taken_away(spec):
    company = a_company()
    user = a_reader(company)
    for value in (Decimal("100.50"), Decimal(200)):
        watching.set_goal(company=company, report="counted", figure="days", currency="EUR", month=MONDAY, value=value,
                          user=user, by=BY, at=morning(MONDAY))  # fmt: skip
    goal = watching.goals(company, "counted", MONDAY)["days", "EUR"]
    assert watching.goal_value(goal, Kind.MONEY) == 20_000
    watching.set_goal(company=company, report="counted", figure="days", currency="EUR", month=MONDAY, value=None,
                      user=user, by=BY, at=morning(MONDAY))  # fmt: skip
    assert not Goal.objects.exists()


# By mail ------------------------------------------------------------------------------------------------------------


def test_a_week_is_mailed_once_on_monday_morning_with_its_spreadsheet(spec):
    company = a_company()
    rosa = a_reader(company)
    saved(company, rosa, spec, every="week")
    sent = [
        mailing.mails_tick(company, morning(day, hour))["mails"]
        for day, hour in [(MONDAY, 6), (MONDAY, 7), (MONDAY, 8), (MONDAY + timedelta(days=3), 9)]
    ]
    assert sent == [0, 1, 0, 0]
    message = Message.objects.get(template="report")
    assert (message.recipients, message.language) == (["reader@example.com"], "de")
    assert "31" in message.body  # October's days: what "last month" means on that Sunday
    file = messages.rendered(message.attachments[0])
    book = load_workbook(io.BytesIO(bytes(file.content)))
    assert [(row[0].value, row[1].value.date(), row[2].value) for row in book["Days"].iter_rows(min_row=2)] == [
        ("EUR", date(2026, 10, 1), 12.34), ("EUR", date(2026, 10, 31), -0.05),
    ]  # fmt: skip


def test_after_a_standstill_the_last_missed_morning_alone_is_made_up_for(spec):
    company = a_company()
    saved(company, a_reader(company), spec, every="day")
    assert mailing.mails_tick(company, morning(MONDAY))["mails"] == 1
    assert mailing.mails_tick(company, morning(MONDAY + timedelta(days=9)))["mails"] == 1


def test_who_lost_the_right_gets_no_more_mail(spec):
    company = a_company()
    rosa = a_reader(company)
    saved(company, rosa, spec, every="day")
    Role.objects.filter(company=company, name=rosa.email).update(rights=["customer.read"])
    assert mailing.mails_tick(company, morning(MONDAY))["mails"] == 0
    assert not ReportMail.objects.exists()


def test_a_view_that_cannot_be_asked_any_more_stops_no_other(spec):
    company = a_company()
    rosa = a_reader(company)
    broken = saved(company, rosa, spec, every="day")
    SavedReport.objects.filter(pk=broken.pk).update(query="moon=full")
    tom = a_reader(company, "tom@example.com")
    saved(company, tom, spec, every="day", readers=[tom])
    assert mailing.mails_tick(company, morning(MONDAY)) == {"mails": 1, "refused": 1}


def test_a_text_that_looks_like_a_formula_stays_text_in_the_spreadsheet():
    from core.spreadsheets import Sheet
    from core.workbooks import workbook

    book = load_workbook(io.BytesIO(workbook([Sheet("a/b", ["x"], [["=1+1"], ["@SUM(A1)"], ["\x07bell"]])])))
    cells = [row[0] for row in book["a b"].rows]
    assert [(cell.value, cell.data_type) for cell in cells] == [
        ("x", "s"), ("=1+1", "s"), ("@SUM(A1)", "s"), ("bell", "s"),
    ]  # fmt: skip
