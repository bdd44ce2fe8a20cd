"""Advertising goes to who allowed it, looked at when it is written and when it is sent; other mail is not asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.models import Outbox
from core.services import outbox
from customers.models import Message
from customers.services import consents, messages, suppressing, unsubscribing
from customers.services.contacts import add_contact
from tests.factories import BY, a_company, a_customer

from .catching import Catcher, catching

pytestmark = pytest.mark.django_db
NOT_ALLOWED = "advertising was not allowed, or no longer is"


@pytest.fixture
def catcher(tmp_path: Path, settings: Any) -> Iterator[Catcher]:
    with catching(tmp_path / "mail", settings) as running:
        yield running


@pytest.fixture
def company() -> Any:
    return a_company()


@pytest.fixture
def ada(company: Any) -> Any:
    """Allows advertising to her own address."""
    customer = a_customer(company, name="Ada", email="ada@example.com")
    return consents.allow(holder=customer, source="form", by=BY, at=company.clock_at)


def advertise(company: Any, customer: Any, *recipients: str, category: str = "marketing") -> Message:
    return messages.write(
        company=company, customer=customer, template="test", language="en", subject="Offer", body="Look!\n",
        recipients=recipients, category=category, at=company.clock_at,
    )  # fmt: skip


def words_of(message: Message) -> dict[str, str]:
    message.refresh_from_db()
    return {address: known["words"] for address, known in message.results.items()}


def test_advertising_goes_to_who_allowed_it(catcher: Catcher, company: Any, ada: Any) -> None:
    message = advertise(company, ada, "Ada@Example.com")
    outbox.relay(worker="test")
    message.refresh_from_db()
    assert (message.state, catcher.recipients) == ("sent", ["Ada@Example.com"])


def test_advertising_that_nobody_allowed_is_kept_as_not_sent_with_why(catcher: Catcher, company: Any) -> None:
    message = advertise(company, a_customer(company, email="bob@example.com"), "bob@example.com")
    outbox.relay(worker="test")
    assert words_of(message) == {"bob@example.com": NOT_ALLOWED}
    assert (message.state, message.error) == ("held", f"bob@example.com: {NOT_ALLOWED}")
    assert (Outbox.objects.count(), catcher.recipients) == (0, [])


def test_who_allowed_it_allowed_it_to_their_own_address_alone(company: Any, ada: Any) -> None:
    add_contact(customer=ada, name="Carl", email="carl@example.com", by=BY, at=company.clock_at)
    advertise(company, ada, "carl@example.com", "ada@example.com", "stranger@example.com")
    stood = {row.recipients[0]: row.state for row in Message.objects.all()}
    assert stood == {"ada@example.com": "waiting", "carl@example.com": "held", "stranger@example.com": "held"}


def test_a_consent_given_to_one_company_or_customer_is_none_for_another(company: Any, ada: Any) -> None:
    other = a_company(name="Other")
    theirs = a_customer(other, email="ada@example.com")
    twin = a_customer(company, name="Twin", email="ada@example.com")
    assert advertise(other, theirs, "ada@example.com").state == "held"
    assert advertise(company, twin, "ada@example.com").state == "held"
    assert advertise(company, ada, "ada@example.com").state == "waiting"


def test_unsubscribed_between_writing_and_sending_it_is_not_sent(catcher: Catcher, company: Any, ada: Any) -> None:
    message = advertise(company, ada, "ada@example.com")
    unsubscribing.unsubscribe(message=message, at=company.clock_at)
    assert outbox.relay(worker="test").done == 1
    assert words_of(message) == {"ada@example.com": "unsubscribed"}
    assert (message.state, catcher.recipients) == ("held", [])


def test_a_consent_withdrawn_between_writing_and_sending_holds_it(catcher: Catcher, company: Any, ada: Any) -> None:
    message = advertise(company, ada, "ada@example.com")
    consents.withdraw(holder=ada, by=BY, at=company.clock_at)
    assert outbox.relay(worker="test").done == 1
    assert words_of(message) == {"ada@example.com": NOT_ALLOWED}
    assert (message.state, catcher.recipients) == ("held", [])


def test_held_advertising_sent_again_is_looked_at_again(catcher: Catcher, company: Any, ada: Any) -> None:
    message = advertise(company, ada, "ada@example.com")
    unsubscribing.unsubscribe(message=message, at=company.clock_at)
    outbox.relay(worker="test")
    assert messages.resend(message=message, by=BY, at=company.clock_at).state == "held"
    consents.allow(holder=ada, source="phone", by=BY, at=company.clock_at)
    assert messages.resend(message=message, by=BY, at=company.clock_at).state == "waiting"
    outbox.relay(worker="test")
    assert catcher.recipients == ["ada@example.com"]


@pytest.mark.parametrize("category", ["contract", "legal"])
def test_mail_about_the_contract_and_the_law_needs_no_consent(catcher: Catcher, company: Any, category: str) -> None:
    customer = a_customer(company, email="bob@example.com")
    suppressing.suppress(company=company, address="bob@example.com", reason="unsubscribed", by=BY, at=company.clock_at)
    message = advertise(company, customer, "bob@example.com", category=category)
    outbox.relay(worker="test")
    message.refresh_from_db()
    assert (message.state, catcher.recipients) == ("sent", ["bob@example.com"])


def test_of_many_only_those_that_nobody_wants_are_held(company: Any) -> None:
    drafts = []
    for number in range(30):
        customer = a_customer(company, name=f"C{number}", email=f"c{number}@example.com")
        if number % 3:
            consents.allow(holder=customer, source="form", by=BY, at=company.clock_at)
        drafts.append(
            messages.Draft(customer, "test", "en", "Offer", "Look!\n", [customer.email], category="marketing")
        )
    made = messages.write_many(company=company, drafts=drafts, at=company.clock_at)
    assert [one.state for one in made] == ["held" if number % 3 == 0 else "waiting" for number in range(30)]
    assert Outbox.objects.count() == 20


def test_a_blocked_address_is_blocked_however_it_is_written(company: Any) -> None:
    suppressing.suppress(company=company, address="bob@example.com", reason="manual", by=BY, at=company.clock_at)
    asked = ["bob@example.com", "BOB@example.com", "carl@example.com"]
    assert set(suppressing.blocked(company.pk, asked, category="contract")) == {"bob@example.com", "BOB@example.com"}


NASTY = 'tab\there\nline \\N back\\slash\r\n"quotes" {curly} \\. ünï \U0001f600'


def test_whatever_a_mail_says_is_kept_to_the_letter(company: Any) -> None:
    message = messages.write(
        company=company, customer=None, template="test", language="en", subject=NASTY, body=NASTY, html=NASTY,
        recipients=['"tab\\\t"@example.com', "ünï@example.com"], subject_kind="invoice",
        subject_id=7, at=company.clock_at,
    )  # fmt: skip
    kept = Message.objects.get(pk=message.pk)
    assert (kept.body, kept.html, kept.subject) == (NASTY, NASTY, " ".join(NASTY.split()))
    assert kept.recipients == ['"tab\\\t"@example.com', "ünï@example.com"]
    assert (kept.created_at, kept.public_id, kept.results, kept.sent_at) == (
        company.clock_at, message.public_id, {}, None,
    )  # fmt: skip
    assert Outbox.objects.get().payload == {"message": message.pk}


def test_other_systems_hear_by_an_event_that_consent_was_given_or_taken_back(company: Any, ada: Any) -> None:
    from core.models import Event

    contact = add_contact(customer=ada, name="Bob", email="bob@example.com", by=BY, at=company.clock_at)
    for _twice in range(2):
        consents.allow(holder=contact, source="form", by=BY, at=company.clock_at)
    consents.withdraw(holder=ada, by=BY, at=company.clock_at)
    told = Event.objects.filter(company=company, type__endswith=".updated").order_by("pk")
    assert [(event.type, event.data) for event in told] == [
        ("customer.updated", {"id": ada.ref, "kind": "company", "external_id": "", "fields": ["marketing_consent_at"]}),
        ("contact.updated", {"id": contact.ref, "role": "owner", "fields": ["marketing_consent_at"]}),
        ("customer.updated", {"id": ada.ref, "kind": "company", "external_id": "", "fields": ["marketing_consent_at"]}),
    ]  # fmt: skip
