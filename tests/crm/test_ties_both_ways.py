"""Ties in both directions: what is changed over there is taken over here by the rule, once, and never comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.crm.tying import BY, NOW, a_company, a_customer, a_tie, run, running, subscribed

pytestmark = pytest.mark.django_db
BOTH = pytest.mark.parametrize("kind", ["brevo", "mailchimp"])
WRITES = ("POST", "PUT", "DELETE")


@pytest.fixture
def there(tmp_path: Any, settings: Any) -> Any:
    with running(tmp_path) as found:
        settings.TIE_ADDRESSES = found.addresses
        yield found


def person(company: Any, name: str = "Ada Byron", *, is_allowed: bool = True, **more: Any) -> Any:
    """Somebody at a customer who allowed advertising."""
    from customers.services import consents, contacts

    number = company.pk
    given = {"name": name, "email": f"{name.split()[0].lower()}{number}@example.com", **more}
    found = contacts.add_contact(customer=a_customer(company), **given, by=BY, at=NOW)
    if is_allowed:
        consents.allow(holder=found, source="portal", by=BY, at=NOW)
    found.refresh_from_db()
    return found


def change(contact: Any, **changes: str) -> None:
    from customers.services import contacts

    contacts.update_contact(contact=contact, changes=changes, by=BY, at=NOW)
    contact.refresh_from_db()


def a_two_way_tie(company: Any, kind: str, **more: Any) -> Any:
    return a_tie(company, kind, is_two_way=True, **more)


def edit(there: Any, kind: str, email: str, *, name: str | None = None, phone: str | None = None, **more: Any) -> None:
    """Somebody over there changes a person by hand."""
    first, _, last = (name or "").partition(" ")
    if kind == "brevo":
        given = {} if name is None else {"FIRSTNAME": first, "LASTNAME": last}
        more["attributes"] = given | ({} if phone is None else {"PHONE": phone})
    else:
        given = {} if name is None else {"FNAME": first, "LNAME": last}
        more["merge_fields"] = given | ({} if phone is None else {"PHONE": phone})
    there.control(kind, "edit", email=email, **more)


def over_there(there: Any, kind: str, email: str) -> tuple[str, str]:
    """Name and phone over there."""
    row = there.contacts(kind)[email]
    found = row["attributes"] if kind == "brevo" else row["merge_fields"]
    first, last = ("FIRSTNAME", "LASTNAME") if kind == "brevo" else ("FNAME", "LNAME")
    return f"{found.get(first, '')} {found.get(last, '')}".strip(), found.get("PHONE", "")


def written(there: Any, kind: str) -> int:
    return sum(row["method"] in WRITES for row in there.asked(kind))


def heard(tie: Any) -> list[tuple[str, str, str]]:
    return list(tie.changes.order_by("pk").values_list("what", "theirs", "outcome"))


@BOTH
def test_a_name_and_a_number_changed_over_there_are_changed_here(there: Any, kind: str) -> None:
    company = a_company()
    ada = person(company, phone="+49 30 1")
    tie = a_two_way_tie(company, kind)
    run(tie)
    assert over_there(there, kind, ada.email) == ("Ada Byron", "+49 30 1")
    edit(there, kind, ada.email, name="Ada King", phone="+44 20 2")
    assert run(tie)["taken"] == 2
    ada.refresh_from_db()
    assert (ada.name, ada.phone) == ("Ada King", "+44 20 2")
    assert heard(tie) == [("name", "Ada King", "taken"), ("phone", "+44 20 2", "taken")]
    assert run(tie) == {} and over_there(there, kind, ada.email) == ("Ada King", "+44 20 2")


@BOTH
def test_our_own_write_is_not_heard_as_a_change(there: Any, kind: str) -> None:
    company = a_company()
    ada = person(company)
    tie = a_two_way_tie(company, kind)
    assert run(tie) == {"sent": 1}
    change(ada, name="Ada Lovelace")
    assert run(tie) == {"sent": 1}
    before = written(there, kind)
    assert run(tie) == {} and run(tie) == {}
    assert (written(there, kind), tie.changes.count()) == (before, 0)


@BOTH
def test_of_two_changes_the_later_one_stays(there: Any, kind: str) -> None:
    company = a_company()
    ada, bob = person(company), person(company, "Bob Babbage")
    tie = a_two_way_tie(company, kind)
    run(tie)
    change(ada, name="Ada Ours")
    # Mailchimp's instants are of whole seconds: a change of ours in the same one stays.
    __import__("time").sleep(1.1 if kind == "mailchimp" else 0.01)
    edit(there, kind, ada.email, name="Ada Theirs")
    edit(there, kind, bob.email, name="Bob Theirs")
    change(bob, name="Bob Ours")
    run(tie)
    ada.refresh_from_db()
    bob.refresh_from_db()
    assert (ada.name, bob.name) == ("Ada Theirs", "Bob Ours")
    assert over_there(there, kind, bob.email)[0] == "Bob Ours"
    assert set(heard(tie)) == {("name", "Ada Theirs", "theirs"), ("name", "Bob Theirs", "ours")}
    assert run(tie) == {}


@BOTH
def test_what_was_emptied_over_there_is_put_back(there: Any, kind: str) -> None:
    company = a_company()
    ada = person(company, phone="+49 30 1")
    tie = a_two_way_tie(company, kind)
    run(tie)
    edit(there, kind, ada.email, name="", phone="")
    run(tie)
    assert over_there(there, kind, ada.email) == ("Ada Byron", "+49 30 1")
    ada.refresh_from_db()
    assert (ada.name, ada.phone) == ("Ada Byron", "+49 30 1") and run(tie) == {}


@BOTH
def test_at_the_first_meeting_ours_stays_and_what_we_lack_is_taken(there: Any, kind: str) -> None:
    company = a_company()
    ada = person(company)
    edit(there, kind, ada.email, name="A. Byron", phone="+49 30 7")
    tie = a_two_way_tie(company, kind)
    run(tie)
    ada.refresh_from_db()
    assert (ada.name, ada.phone) == ("Ada Byron", "+49 30 7")
    assert over_there(there, kind, ada.email) == ("Ada Byron", "+49 30 7") and run(tie) == {}


@BOTH
def test_the_name_of_a_company_is_never_changed_from_outside(there: Any, kind: str) -> None:
    company = a_company()
    (customer,) = subscribed(company)
    tie = a_two_way_tie(company, kind)
    run(tie)
    name = customer.name
    edit(there, kind, customer.email, name="Somebody Else", phone="+49 30 5")
    run(tie)
    customer.refresh_from_db()
    assert (customer.name, customer.phone) == (name, "+49 30 5")
    assert over_there(there, kind, customer.email)[0] == "Somebody Else" and run(tie) == {}


@BOTH
def test_who_is_new_over_there_becomes_a_lead_once_and_never_a_customer(there: Any, kind: str) -> None:
    from catalog.services.discounts import create_campaign
    from crm.models import Lead
    from customers.models import Customer

    company = a_company()
    campaign = create_campaign(company=company, code="news", name="Newsletter", by=BY, at=NOW)
    edit(there, kind, "old@example.com", name="Old Reader", **_made(kind, "2020-01-01T00:00:00+00:00"))
    tie = a_two_way_tie(company, kind, name="Newsletter", campaign=campaign)
    run(tie)
    edit(there, kind, "new@example.com", name="New Reader", phone="+49 30 9")
    assert run(tie) == {"leads": 1}
    lead = Lead.objects.get(company=company)
    assert (lead.name, lead.email, lead.phone) == ("New Reader", "new@example.com", "+49 30 9")
    assert (lead.origin, lead.source, lead.campaign, lead.consent_at) == ("tie", "Newsletter", campaign, None)
    assert lead.tasks.count() == 1 and not Customer.objects.filter(company=company).exists()
    edit(there, kind, "new@example.com", name="Newer Reader")
    assert run(tie) == {} and Lead.objects.filter(company=company).count() == 1


def _made(kind: str, at: str) -> dict[str, str]:
    return {"createdAt": at} if kind == "brevo" else {"timestamp_opt": at}


@BOTH
def test_who_must_not_be_written_to_becomes_no_lead(there: Any, kind: str) -> None:
    from customers.services import suppressing

    company = a_company()
    suppressing.suppress(company=company, address="no@example.com", reason="manual", by=BY, at=NOW)
    tie = a_two_way_tie(company, kind)
    run(tie)
    edit(there, kind, "no@example.com", name="No Body")
    assert run(tie) == {}


@BOTH
def test_a_consent_that_appears_over_there_is_never_taken_over(there: Any, kind: str) -> None:
    company = a_company()
    ada = person(company, is_allowed=False)
    tie = a_two_way_tie(company, kind)
    edit(there, kind, ada.email)
    assert run(tie) == {"conflicts": 1} and run(tie) == {}
    ada.refresh_from_db()
    assert ada.marketing_consent_at is None and heard(tie) == [("consent", "on", "kept")]


@BOTH
def test_who_took_it_back_here_and_appears_there_again_is_blocked_there_again(there: Any, kind: str) -> None:
    from customers.services import consents

    company = a_company()
    ada = person(company)
    tie = a_two_way_tie(company, kind)
    run(tie)
    consents.withdraw(holder=ada, by=BY, at=NOW)
    run(tie)
    edit(there, kind, ada.email, **({"emailBlacklisted": False} if kind == "brevo" else {"status": "subscribed"}))
    run(tie)
    row = there.contacts(kind)[ada.email]
    assert row.get("emailBlacklisted") is True or row.get("status") == "unsubscribed"
    ada.refresh_from_db()
    assert ada.marketing_consent_at is None and run(tie) == {}


def test_who_was_taken_from_the_list_over_there_is_put_back(there: Any) -> None:
    company = a_company()
    ada = person(company)
    tie = a_two_way_tie(company, "brevo")
    run(tie)
    edit(there, "brevo", ada.email, listIds=[])
    assert run(tie) == {"sent": 1, "conflicts": 1}
    assert there.contacts("brevo")[ada.email]["listIds"] == [7] and run(tie) == {}


@BOTH
def test_an_address_changed_over_there_is_asked_about_once_and_not_taken(there: Any, kind: str) -> None:
    from crm.models import Lead, Task

    company = a_company()
    ada = person(company)
    tie = a_two_way_tie(company, kind)
    run(tie)
    run(tie)
    old = ada.email
    edit(there, kind, old, address="ada.king@example.com")
    assert run(tie) == {"conflicts": 1} and run(tie) == {}
    ada.refresh_from_db()
    task = Task.objects.get(company=company)
    assert (ada.email, task.customer_id) == (old, ada.customer_id)
    assert old in task.text and "ada.king@example.com" in task.text
    assert not Lead.objects.filter(company=company).exists()
    change(ada, email="ada.king@example.com")
    run(tie)
    assert run(tie) == {} and set(tie.records.values_list("key", flat=True)) == {"ada.king@example.com"}


@BOTH
def test_lists_over_there_can_be_asked_for_by_a_segment(there: Any, kind: str) -> None:
    from crm.services import segments
    from tests.crm.mailing import a_segment, only

    company = a_company()
    ada, bob = person(company), person(company, "Bob Babbage", is_allowed=False)
    if kind == "brevo":
        there.control("brevo", "list", id=9, label="Fair 2026")
    for email in (ada.email, bob.email):
        edit(there, kind, email, **({"listIds": [7, 9]} if kind == "brevo" else {"tags": ["Fair 2026"]}))
    tie = a_two_way_tie(company, kind)
    run(tie)
    fair = a_segment(company, only({"field": "list_elsewhere", "op": "is", "value": "fair 2026"}), name="Fair")
    members = segments.members(segment=fair, on=NOW.date())
    assert set(members.values_list("pk", flat=True)) == {ada.customer_id, bob.customer_id}
    edit(there, kind, ada.email, **({"listIds": [7]} if kind == "brevo" else {"tags": []}))
    run(tie)
    assert [row.pk for row in segments.members(segment=fair, on=NOW.date())] == [bob.customer_id]


def test_a_one_way_tie_takes_nothing_over_and_sends_no_numbers(there: Any) -> None:
    company = a_company()
    ada = person(company, phone="+49 30 1")
    tie = a_tie(company)
    run(tie)
    edit(there, "brevo", ada.email, name="Ada King")
    edit(there, "brevo", "new@example.com")
    assert run(tie) == {}
    ada.refresh_from_db()
    assert ada.name == "Ada Byron" and "PHONE" not in there.contacts("brevo")[ada.email]["attributes"]


@BOTH
def test_more_than_a_page_is_heard_to_its_end_and_goes_on_after_too_many_requests(
    there: Any, kind: str, monkeypatch: Any
) -> None:
    from core import clock
    from crm.models import Lead, Tie
    from crm.ties import brevo, mailchimp

    monkeypatch.setattr(brevo, "PAGE", 4)
    monkeypatch.setattr(mailchimp, "PAGE", 4)
    monkeypatch.setattr(mailchimp, "OVERLAP", 1)
    company = a_company()
    tie = a_two_way_tie(company, kind)
    run(tie)
    for number in range(11):
        edit(there, kind, f"new{number}@example.com", name=f"New {number}")
    path = "/contacts" if kind == "brevo" else "/members"
    there.faults(kind, {"path": path, "after": 2, "status": 429, "seconds": 30})
    run(tie)
    first = Lead.objects.filter(company=company).count()
    assert 4 <= first < 11 and tie.paused_until is not None and tie.heard_through
    Tie.objects.filter(pk=tie.pk).update(paused_until=clock.machine_now())
    assert run(tie) == {"leads": 11 - first} and run(tie) == {}


@BOTH
def test_a_crash_in_the_middle_of_hearing_doubles_and_loses_nothing(there: Any, kind: str, monkeypatch: Any) -> None:
    from crm.models import Lead
    from crm.services import tie_hearing

    company = a_company()
    ada = person(company)
    tie = a_two_way_tie(company, kind)
    run(tie)
    edit(there, kind, ada.email, name="Ada King")
    edit(there, kind, "new@example.com", name="New Reader")
    real = tie_hearing._Page.take

    def dies(page: Any) -> Any:
        real(page)
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(tie_hearing._Page, "take", dies)
        with pytest.raises(SystemExit):
            run(tie)
    ada.refresh_from_db()
    assert (ada.name, Lead.objects.count(), tie.changes.count()) == ("Ada Byron", 0, 0)
    found = run(tie)
    assert (found["taken"], found["leads"]) == (1, 1)
    assert run(tie) == {} and Lead.objects.count() == 1


def test_each_run_with_something_to_tell_stands_in_the_log_and_one_that_goes_on_failing_once(there: Any) -> None:
    company = a_company()
    subscribed(company)
    tie = a_tie(company)
    run(tie)
    run(tie)
    there.kill()
    run(tie)
    run(tie)
    rows = list(tie.runs.order_by("pk").values_list("sent", "failed"))
    assert rows == [(1, 0), (0, 0)]
    last = tie.runs.order_by("-pk")[0]
    assert "doesn't answer" in last.error and last.ended_at - last.began_at > timedelta(0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ours"), st.sampled_from(["Ada Byron", "Ada King", "Ada"])),
        st.tuples(st.just("our number"), st.sampled_from(["+49 30 1", "+49 30 2", ""])),
        st.tuples(st.just("theirs"), st.sampled_from(["Ada Byron", "Ida King", "Ida", ""])),
        st.tuples(st.just("their number"), st.sampled_from(["+49 (30) 1", "+44 20 2", ""])),
        st.just(("run", "")),
    ),
    max_size=7,
)  # fmt: skip


@BOTH
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_changed_on_both_sides_they_end_equal_and_the_next_run_writes_nothing(
    there: Any, kind: str, steps: list[tuple[str, str]]
) -> None:
    company = a_company()
    ada = person(company)
    tie = a_two_way_tie(company, kind)
    run(tie)
    for what, value in steps:
        match what:
            case "ours":
                change(ada, name=value)
            case "our number":
                change(ada, phone=value)
            case "theirs":
                edit(there, kind, ada.email, name=value)
            case "their number":
                edit(there, kind, ada.email, phone=value)
            case _:
                run(tie)
        ada.refresh_from_db()
    run(tie)
    ada.refresh_from_db()
    name, phone = over_there(there, kind, ada.email)
    assert name == ada.name and phone.translate(_PLAIN) == ada.phone.translate(_PLAIN)
    before, said = written(there, kind), tie.changes.count()
    assert run(tie) == {} and (written(there, kind), tie.changes.count()) == (before, said)


_PLAIN = str.maketrans("", "", " ()-")
