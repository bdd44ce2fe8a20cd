"""What is said with customers and leads: written down, corrected, archived; mails kept once; reminders written once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.crm.causes import AT, TODAY, a_member
from tests.crm.talking import a_mail
from tests.factories import BY, a_company, a_customer

if TYPE_CHECKING:
    from core.models import Company

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return a_company(today=TODAY)


def logged(company: Company, **changes: Any) -> Any:
    from crm.services import activities

    values = {"company": company, "kind": "call", "subject": "Prices", "begins_at": AT}
    if "customer" not in changes and "lead" not in changes:
        values["customer"] = a_customer(company)
    return activities.log(**(values | changes), by=BY, at=AT)


def a_lead(company: Company, **changes: Any) -> Any:
    from crm.services import leads

    values = {"name": "Ada", "email": "ada@x.example", "country": "DE"} | changes
    return leads.create(company=company, **values, by=BY, at=AT)


def test_a_call_and_its_next_step_are_one_act(company: Company) -> None:
    from core.models import AuditEntry, Event
    from crm.services.activities import Step

    customer, owner = a_customer(company), a_member(company, "sales")
    call = logged(company, customer=customer, direction="in", owner=owner, step=Step("Send prices", TODAY))
    assert (call.next_step.title, call.next_step.due_on) == ("Send prices", TODAY)
    assert (call.next_step.owner, call.next_step.customer) == (owner, customer)
    event = Event.objects.get(type="activity.logged", subject_id=call.pk)
    assert event.data == {
        "id": call.ref, "kind": "call", "direction": "in", "begins_at": AT.isoformat(), "customer": customer.ref,
        "lead": None, "contact": None, "owner": owner.ref, "next_step": call.next_step.ref, "is_archived": False,
    }  # fmt: skip
    assert AuditEntry.objects.filter(verb="activity.log", subject_id=call.pk).count() == 1


def test_nothing_is_kept_of_a_call_whose_next_step_is_refused(company: Company) -> None:
    from core.refusal import Refused
    from crm.models import Activity
    from crm.services.activities import Step

    with pytest.raises(Refused, match=r"text\.required"):
        logged(company, step=Step(" ", TODAY))
    assert Activity.objects.count() == 0


def test_an_activity_is_with_somebody_of_the_company(company: Company) -> None:
    from core.refusal import Refused

    customer = a_customer(company, contacts=[{"name": "Ada", "email": "a@x.example"}])
    contact = customer.contacts.get()
    for code, given in (
        (r"activity\.with_nobody", {"customer": None}),
        ("not_found", {"customer": a_customer(a_company())}),
        (r"activity\.other_contact", {"contact": contact}),
        (r"activity\.ends_before", {"ends_at": AT - timedelta(minutes=1)}),
        (r"field\.choice", {"kind": "fax"}),
        (r"task\.owner_works_elsewhere", {"owner": a_member(a_company(), "sales")}),
        (r"task\.owner_works_elsewhere", {"people": [a_member(a_company(), "sales")]}),
    ):
        with pytest.raises(Refused, match=code):
            logged(company, **given)
    assert logged(company, customer=customer, contact=contact).contact == contact


def test_who_has_left_since_was_still_there(company: Company) -> None:
    from core.models import Membership
    from crm.services import activities

    left, stays, comes = (a_member(company, role) for role in ("sales", "support", "accounting"))
    meeting = logged(company, kind="meeting", people=[left, stays])
    Membership.objects.filter(company=company, user=left).delete()
    activities.change(activity=meeting, people=[comes], by=BY, at=AT)
    assert set(meeting.parts.values_list("user_id", flat=True)) == {left.pk, comes.pk}
    assert activities.change(activity=meeting, people=[comes, left], by=BY, at=AT).changed_at == AT


def test_a_correction_keeps_what_stood_before(company: Company) -> None:
    from core.models import AuditDetail, Event
    from crm.services import activities

    call = logged(company, outcome="Wants it")
    later = AT + timedelta(hours=1)
    activities.change(activity=call, outcome="Wants it in May", subject="Prices", by=BY, at=later)
    detail = AuditDetail.objects.get(entry__verb="activity.change", entry__subject_id=call.pk)
    assert (detail.before, detail.after) == ({"outcome": "Wants it"}, {"outcome": "Wants it in May"})
    assert Event.objects.get(type="activity.changed", subject_id=call.pk).data["fields"] == ["outcome"]
    call.refresh_from_db()
    assert call.changed_at == later
    activities.change(activity=call, outcome="Wants it in May", by=BY, at=later + timedelta(hours=1))
    call.refresh_from_db()
    assert call.changed_at == later


def test_a_second_next_step_is_refused(company: Company) -> None:
    from core.refusal import Refused
    from crm.services import activities
    from crm.services.activities import Step

    call = logged(company)
    call = activities.change(activity=call, step=Step("Send prices", TODAY), by=BY, at=AT)
    with pytest.raises(Refused, match=r"activity\.has_next_step"):
        activities.change(activity=call, step=Step("Again", TODAY), by=BY, at=AT)


def test_the_timeline_shows_a_call_when_it_was_with_who_and_once(company: Company) -> None:
    from crm.services import activities
    from customers.services.timeline import timeline

    customer, owner = a_customer(company), a_member(company, "sales")
    before = AT - timedelta(days=2)
    call = logged(
        company, customer=customer, direction="out", begins_at=before, owner=owner, text="Hello", outcome="Bye"
    )
    activities.change(activity=call, outcome="Yes", by=BY, at=AT)
    found = [entry for entry in timeline(customer=customer) if entry.link_kind == "activity"]
    assert [(one.at, one.title, one.text, one.actor, one.link_id, one.facts["kind"]) for one in found] == [
        (before, "Call (from us)", "Prices\nHello\n→ Yes", str(owner), call.ref, "call")
    ]
    assert [one.title for one in timeline(customer=customer) if "Call" in one.title] == ["Call (from us)"]
    activities.archive(activity=call, by=BY, at=AT)
    assert [one for one in timeline(customer=customer) if one.link_kind == "activity"] == []


def test_the_timeline_is_paged_through_activities_and_the_rest_alike(company: Company) -> None:
    from customers.services import notes
    from customers.services.timeline import timeline

    customer = a_customer(company)
    for hours in range(6):
        logged(company, customer=customer, subject=f"c{hours}", begins_at=AT - timedelta(hours=2 * hours))
        notes.add_note(customer=customer, text=f"n{hours}", by=BY, at=AT - timedelta(hours=2 * hours + 1))
    seen: list[str] = []
    before = None
    while entries := timeline(customer=customer, before=before, limit=5):
        seen += [entry.text for entry in entries if entry.kind in ("activity", "note")]
        before = entries[-1].at
    assert seen == [f"{kind}{hours}" for hours in range(6) for kind in "cn"]


def test_what_was_said_with_a_lead_goes_along_when_it_becomes_a_customer(company: Company) -> None:
    from crm.services import converting

    lead = a_lead(company)
    call = logged(company, lead=lead)
    customer = converting.convert(lead=lead, by=BY, at=AT)
    call.refresh_from_db()
    assert (call.customer, call.lead_id) == (customer, lead.pk)
    lead.refresh_from_db()
    assert logged(company, lead=lead).customer == customer


def test_what_was_said_with_a_duplicate_goes_to_the_lead_that_stays(company: Company) -> None:
    from crm.services import lead_duplicates

    gone, stays = a_lead(company), a_lead(company, email="b@x.example")
    call = logged(company, lead=gone)
    lead_duplicates.merge(lead=gone, into=stays, by=BY, at=AT)
    call.refresh_from_db()
    assert call.lead_id == stays.pk


# Mails --------------------------------------------------------------------------------------------------------------


def kept(company: Company, raw: bytes, **given: Any) -> Any:
    from crm.services import activity_mails

    return activity_mails.keep(company=company, raw=raw, **given, by=BY, at=AT)


def test_a_mail_finds_its_contact_and_is_kept_once(company: Company) -> None:
    customer = a_customer(company, contacts=[{"name": "Ada", "email": "Ada@Windkraft.example"}])
    raw = a_mail(attached={"plan.pdf": b"%PDF-1", "zahlen.csv": b"a;b"})
    mail, is_new = kept(company, raw)
    assert is_new
    assert (mail.customer, mail.contact, mail.kind, mail.direction) == (
        customer, customer.contacts.get(), "mail_in", "in"
    )  # fmt: skip
    assert (mail.subject, mail.text) == ("Zählerstände für März", "Bitte rufen Sie mich zurück.\nDanke")
    assert mail.begins_at.isoformat() == "2026-03-10T09:30:00+02:00"
    files = [(row.position, row.file.name, row.file.content) for row in mail.files.order_by("position")]
    assert files == [(1, "plan.pdf", b"%PDF-1"), (2, "zahlen.csv", b"a;b")]
    assert kept(company, raw) == (mail, False)
    assert mail.files.count() == 2
    again, is_new = kept(company, a_mail(subject="Other words, same mail"))
    assert (again.pk, is_new) == (mail.pk, False)


def test_the_same_mail_is_another_in_another_company(company: Company) -> None:
    other = a_company()
    first, _new = kept(company, a_mail(), customer=a_customer(company))
    second, is_new = kept(other, a_mail(), customer=a_customer(other))
    assert is_new
    assert first.pk != second.pk


def test_a_mail_of_a_colleague_went_out_to_its_recipient(company: Company) -> None:
    lead = a_lead(company, email="ada@windkraft.example")
    colleague = a_member(company, "sales")
    mail, _new = kept(company, a_mail(sender=f"Us <{colleague.email}>", to="Ada <ada@windkraft.example>"))
    assert (mail.kind, mail.direction, mail.lead, mail.customer) == ("mail_out", "out", lead, None)


def test_a_mail_from_nobody_known_asks_with_whom_it_is(company: Company) -> None:
    from core.refusal import Refused

    with pytest.raises(Refused, match=r"mail\.from_nobody"):
        kept(company, a_mail())
    customer = a_customer(company)
    assert kept(company, a_mail(), customer=customer)[0].customer == customer


def test_a_mail_in_html_is_kept_as_its_text(company: Company) -> None:
    html = "<style>p{}</style><p>Hello&nbsp;<b>you</b></p><p>1 &lt; 2</p><script>alert(1)</script>"
    mail, _new = kept(company, a_mail(html=html), customer=a_customer(company))
    assert mail.text == "Hello\xa0you\n1 < 2"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<HEAD><title>No</title></HEAD>Yes", "Yes"), ("<style>a<b{}</style >Yes", "Yes"),
        ("<script>if (a<b) x(); '</b>'</script>Yes", "Yes"), ("<head><title>Both</title><p>Yes", "BothYes"),
        ("<p>1 < 2</p><a href='x'>Yes</a>", "1 < 2\nYes"), ("<!--[if mso]><style>p{}</style><![endif]-->Yes", "Yes"),
        ("<style>" * 100_000 + "Yes", "Yes"), ("<style" * 100_000 + "<" * 100_000, "<style" * 8333 + "<s"),
    ],
)  # fmt: skip
def test_of_a_mail_in_html_what_is_shown_is_kept_however_it_is_made(html: str, text: str) -> None:
    from crm.services import activity_mails

    assert activity_mails.read(a_mail(html=html)).text == text


def test_of_a_mail_to_very_many_the_first_are_looked_for() -> None:
    from crm.services import activity_mails

    to = ", ".join(f"a{number}@x.example" for number in range(300))
    assert activity_mails.read(a_mail(to=to)).addresses == tuple(f"a{number}@x.example" for number in range(50))


@pytest.mark.parametrize("raw", [b"", b"\x00\xff\xfe", b"Hello, this is no mail", b"Subject: x\n\nNo sender"])
def test_what_is_no_mail_is_refused(company: Company, raw: bytes) -> None:
    from core.refusal import Refused

    with pytest.raises(Refused, match=r"mail\.unreadable"):
        kept(company, raw, customer=a_customer(company))


@pytest.mark.parametrize(
    "raw",
    [
        b"From: a@x.example\nDate: nonsense\nSubject: =?utf-8?q?=FF?=\n\n\xff\x00",
        b"From: a@x.example\nContent-Type: multipart/mixed; boundary=x\n\nbroken",
        b"From: a@x.example\nContent-Type: text/plain; charset=no-such\n\nx",
        b"From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n"
        b"From: b@x.example\n\ninner\n--b--\n",
    ],
)
def test_a_broken_mail_is_kept_or_refused(company: Company, raw: bytes) -> None:
    from core.refusal import Refused

    try:
        mail, _new = kept(company, raw, customer=a_customer(company))
    except Refused as refused:
        assert refused.code == "mail.unreadable"
    else:
        assert (mail.mail_from, mail.begins_at) == ("a@x.example", AT)


def test_a_mails_own_words_are_never_corrected(company: Company) -> None:
    from core.refusal import Refused
    from crm.services import activities

    mail, _new = kept(company, a_mail(), customer=a_customer(company))
    with pytest.raises(Refused, match=r"activity\.mail_says"):
        activities.change(activity=mail, text="Other", by=BY, at=AT)
    assert activities.change(activity=mail, outcome="Called back", by=BY, at=AT).outcome == "Called back"


# Reminders ----------------------------------------------------------------------------------------------------------


def mails(company: Company) -> list[tuple[list[str], str]]:
    from customers.models import Message

    rows = Message.objects.filter(company=company, template="staff_reminder").order_by("pk")
    return [(row.recipients, row.subject) for row in rows]


def test_everybody_who_takes_part_is_reminded_once(company: Company) -> None:
    from crm.services import activity_reminding

    owner, other = a_member(company, "sales"), a_member(company, "support")
    soon = AT + timedelta(minutes=30)
    logged(
        company, kind="meeting", owner=owner, people=[other], begins_at=soon + timedelta(hours=1), remind_at=soon,
        subject="Kick-off\nnow",
    )  # fmt: skip
    assert activity_reminding.remind(company=company, at=soon - timedelta(seconds=1)) == 0
    assert activity_reminding.remind(company=company, at=soon) == 2
    assert activity_reminding.remind(company=company, at=soon + timedelta(days=1)) == 0
    assert mails(company) == [
        ([owner.email], f"{company.name}: reminder: Kick-off now"),
        ([other.email], f"{company.name}: reminder: Kick-off now"),
    ]


def test_a_task_reminds_its_owner_unless_it_is_done(company: Company) -> None:
    from crm.services import activity_reminding, tasks

    owner = a_member(company, "sales")
    common = {"company": company, "due_on": TODAY, "owner": owner, "remind_at": AT, "by": BY, "at": AT}
    call, done = tasks.create(title="Call", **common), tasks.create(title="Done", **common)
    tasks.finish(task=done, by=BY, at=AT)
    assert activity_reminding.remind(company=company, at=AT) == 1
    assert mails(company) == [([owner.email], f"{company.name}: reminder: Call")]
    tasks.update(task=call, remind_at=AT + timedelta(hours=1), by=BY, at=AT)
    assert activity_reminding.remind(company=company, at=AT) == 0
    assert activity_reminding.remind(company=company, at=AT + timedelta(hours=1)) == 1


def test_who_left_and_what_was_archived_is_not_reminded(company: Company) -> None:
    from core.models import Membership
    from crm.services import activities, activity_reminding

    left, owner = a_member(company, "sales"), a_member(company, "support")
    logged(company, owner=left, remind_at=AT)
    Membership.objects.filter(company=company, user=left).delete()
    activities.archive(activity=logged(company, owner=owner, remind_at=AT), by=BY, at=AT)
    assert activity_reminding.remind(company=company, at=AT) == 0
    assert mails(company) == []
