"""Calendars behind secret links, read back by a strict parser of RFC 5545 of the tests' own."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.crm.causes import AT, TODAY, a_member
from tests.factories import BY, a_company, a_customer, a_subscription

if TYPE_CHECKING:
    from core.models import Company, User

pytestmark = pytest.mark.django_db
Lines = list[tuple[str, str, str]]


def parsed(content: bytes) -> list[tuple[str, Any]]:
    """The components as nested lists of (name with parameters, value); fails on anything the standard forbids."""
    assert content.endswith(b"\r\n")
    raw = content[:-2].split(b"\r\n")
    unfolded: list[str] = []
    for piece in raw:
        assert b"\r" not in piece and b"\n" not in piece
        assert 0 < len(piece) <= 75
        text = piece.decode()  # no letter is cut in two
        if text.startswith(" "):
            unfolded[-1] += text[1:]
        else:
            unfolded.append(text)
    stack: list[list[tuple[str, Any]]] = [[]]
    names: list[str] = []
    for line in unfolded:
        found = re.fullmatch(r"([A-Z0-9-]+(?:;[A-Z0-9-]+=[^;:\"]+)*):(.*)", line)
        assert found, line
        name, value = found.groups()
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value)
        if name == "BEGIN":
            names.append(value)
            stack.append([])
        elif name == "END":
            assert names.pop() == value
            inner = stack.pop()
            stack[-1].append((value, inner))
        else:
            stack[-1].append((name, value))
    assert not names
    return stack[0]


def text_of(value: str) -> str:
    assert not re.search(r"(?<!\\)(?:\\\\)*[;,]", value), "an unescaped sign"
    assert not re.search(r"(?<!\\)(?:\\\\)*\\[^nN\\;,]", value), "an unknown escape"
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value)


def events(content: bytes) -> list[dict[str, Any]]:
    ((name, inner),) = parsed(content)
    assert name == "VCALENDAR"
    head = [(key, value) for key, value in inner if key != "VEVENT"]
    assert head[:2] == [("VERSION", "2.0"), ("PRODID", "-//Turnus//Calendar//EN")]
    found = []
    for key, event in inner:
        if key == "VEVENT":
            row = dict(event)
            assert len(row) == len(event), "a property stands twice"
            assert {"UID", "DTSTAMP", "SUMMARY", "STATUS"} <= set(row)
            found.append(row)
    assert len({row["UID"] for row in found}) == len(found)
    return found


def a_link(company: Company, user: User, *, has_terms: bool = False) -> str:
    from crm.services import calendars

    return calendars.create(company=company, user=user, has_terms=has_terms, by=BY, at=AT)[1]


@pytest.fixture
def company() -> Company:
    return a_company(today=TODAY, time_zone="Europe/Berlin")


def feed(token: str, **headers: str) -> Any:
    return Client().get(f"/calendar/{token}.ics", headers=headers)


def test_a_meeting_stands_in_the_calendar_of_all_who_take_part(company: Company) -> None:
    from crm.services import activities

    owner, other, stranger = (a_member(company, role) for role in ("sales", "support", "accounting"))
    customer = a_customer(company, name="Käse; Wurst, GmbH")
    begins = datetime(2026, 3, 29, 7, 30, tzinfo=UTC)
    meeting = activities.log(
        company=company, customer=customer, kind="meeting", subject="Preise\\Mengen", begins_at=begins,
        ends_at=begins + timedelta(hours=1), place="Saal 1, Köln", text="Zeile 1\r\nZeile 2 " + "ü" * 90,
        remind_at=begins - timedelta(minutes=15), owner=owner, people=[other], by=BY, at=AT,
    )  # fmt: skip
    for user in (owner, other):
        answer = feed(a_link(company, user))
        assert (answer.status_code, answer["Content-Type"]) == (200, "text/calendar; charset=utf-8")
        (event,) = events(answer.content)
        assert event["UID"] == f"{meeting.ref}@turnus"
        assert (event["DTSTART"], event["DTEND"]) == ("20260329T073000Z", "20260329T083000Z")
        assert text_of(event["SUMMARY"]) == "Preise\\Mengen (Käse; Wurst, GmbH)"
        assert text_of(event["LOCATION"]) == "Saal 1, Köln"
        assert text_of(event["DESCRIPTION"]) == "Käse; Wurst, GmbH\n\nZeile 1\nZeile 2 " + "ü" * 90
        assert event["STATUS"] == "CONFIRMED"
        assert dict(event["VALARM"])["TRIGGER;VALUE=DATE-TIME"] == "20260329T071500Z"
    assert events(feed(a_link(company, stranger)).content) == []


def test_an_archived_meeting_is_canceled_under_the_same_name(company: Company) -> None:
    from crm.services import activities

    user = a_member(company, "sales")
    meeting = activities.log(
        company=company, customer=a_customer(company), kind="visit", subject="x", begins_at=AT, owner=user, by=BY, at=AT
    )
    token = a_link(company, user)
    before = events(feed(token).content)[0]
    activities.archive(activity=meeting, by=BY, at=AT + timedelta(hours=1))
    after = events(feed(token).content)[0]
    assert (before["STATUS"], after["STATUS"]) == ("CONFIRMED", "CANCELLED")
    assert before["UID"] == after["UID"]
    assert before["DTSTAMP"] < after["DTSTAMP"]


def test_a_task_takes_all_of_its_last_day_and_leaves_when_it_is_done(company: Company) -> None:
    from crm.services import tasks

    user = a_member(company, "sales")
    task = tasks.create(company=company, title="Call", due_on=TODAY, owner=user, by=BY, at=AT)
    tasks.create(company=company, title="Another's", due_on=TODAY, by=BY, at=AT)
    token = a_link(company, user)
    (event,) = events(feed(token).content)
    next_day = TODAY + timedelta(days=1)
    assert event["DTSTART;VALUE=DATE"] == f"{TODAY:%Y%m%d}"
    assert (event["DTEND;VALUE=DATE"], event["TRANSP"]) == (f"{next_day:%Y%m%d}", "TRANSPARENT")
    tasks.finish(task=task, by=BY, at=AT)
    assert events(feed(token).content) == []


def test_ends_of_contracts_of_ones_own_customers_stand_in_it_where_asked_for(company: Company) -> None:
    from subscriptions.models import Subscription

    user = a_member(company, "sales")
    mine, other = a_subscription(company), a_subscription(company)
    mine.customer.owner = user
    mine.customer.save(update_fields=["owner"])
    day = TODAY + timedelta(days=30)
    Subscription.objects.filter(pk__in=[mine.pk, other.pk]).update(end_kind="cancel", ends_on=day, cancel_asked_at=AT)
    assert events(feed(a_link(company, user)).content) == []
    (event,) = events(feed(a_link(company, user, has_terms=True)).content)
    assert event["DTSTART;VALUE=DATE"] == f"{day:%Y%m%d}"
    assert text_of(event["SUMMARY"]) == f"{mine.customer.name}: contract ends"


def test_a_reader_that_has_it_gets_nothing_again(company: Company) -> None:
    from crm.services import tasks

    user = a_member(company, "sales")
    token = a_link(company, user)
    first = feed(token)
    same = feed(token, **{"If-None-Match": first["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    tasks.create(company=company, title="Call", due_on=TODAY, owner=user, by=BY, at=AT)
    changed = feed(token, **{"If-None-Match": first["ETag"]})
    assert (changed.status_code, len(events(changed.content))) == (200, 1)


def test_a_link_ends_with_the_next_one_with_its_revocation_and_with_the_work(company: Company) -> None:
    from core.models import Membership
    from crm.models import CalendarLink
    from crm.services import calendars

    user = a_member(company, "sales")
    first, second = a_link(company, user), a_link(company, user)
    assert (feed(first).status_code, feed(second).status_code) == (404, 200)
    assert not CalendarLink.objects.filter(token_hash__in=[first, second]).exists()
    assert calendars.revoke(company=company, user=user, by=BY, at=AT)
    assert not calendars.revoke(company=company, user=user, by=BY, at=AT)
    assert feed(second).status_code == 404
    third = a_link(company, user)
    Membership.objects.filter(company=company, user=user).delete()
    assert feed(third).status_code == 404
    assert feed("made-up").status_code == 404
