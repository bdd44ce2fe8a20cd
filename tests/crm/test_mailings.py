"""Mailings: who gets one, when, how fast, once; what came of it, and what counts as its merit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from tests.crm.mailing import (
    BY,
    NOW,
    START,
    a_campaign,
    a_house,
    a_mailing,
    a_segment,
    a_subscriber,
    an_offer,
    at_noon,
    consent,
    later,
    only,
    set_clock,
    start,
    subscribers,
    tick,
)

pytestmark = pytest.mark.django_db


def rows_of(mailing: Any) -> Any:
    return mailing.recipients.order_by("customer_id")


def mails(company: Any) -> list[Any]:
    from customers.models import Message

    return list(Message.objects.filter(company=company, subject_kind="mailing_recipient").order_by("pk"))


def counts(mailing: Any) -> dict[str, int]:
    from crm.services import mailing_results

    found = mailing_results.results([mailing])[mailing.pk].counts
    return {name: value for name, value in found.items() if value}


def test_everybody_in_the_segment_gets_it_once_however_often_it_is_asked() -> None:
    company = a_house()
    subscribers(company, 3)
    mailing = start(a_mailing(company, offer=an_offer(company)))
    assert [tick(company)["sent"] for _ in range(3)] == [3, 0, 0]
    mailing.refresh_from_db()
    assert mailing.state == "done"
    assert len(mails(company)) == 3
    assert counts(mailing) == {"meant": 3, "planned": 3, "sent": 3}


def test_the_text_is_in_the_readers_language_with_their_own_link() -> None:
    company = a_house()
    one, two = (row.customer for row in subscribers(company, 2))
    type(two).objects.filter(pk=two.pk).update(language="de", name="Ärzte & Co")
    start(a_mailing(
        company, offer=an_offer(company), subject={"en": "Hi {customer}", "de": "Hallo {customer}"},
        body={"en": "{offer} {link}", "de": "{offer} bis {offer_until} {link}"},
    ))  # fmt: skip
    tick(company)
    english, german = sorted(mails(company), key=lambda mail: mail.customer_id)
    assert (english.subject, german.subject) == (f"Hi {one.name}", "Hallo Ärzte & Co")
    assert german.body.startswith("20 % auf das Jahr bis 31. März 2026 http")
    assert english.body.split()[8 - 3] != german.body.split()[8]
    assert (english.category, german.category) == ("marketing", "marketing")
    assert "Unsubscribe here" in english.body


def test_who_may_not_be_written_to_is_left_out_with_the_reason() -> None:
    from customers.models import Customer
    from customers.services import suppressing
    from tests.factories import a_customer

    company = a_house()
    allowed, blocked, _silent, nameless = (row.customer for row in (
        *subscribers(company, 2), a_subscriber(company), a_subscriber(company),
    ))  # fmt: skip
    suppressing.suppress(company=company, address=blocked.email, reason="unsubscribed", by=BY, at=NOW)
    Customer.objects.filter(pk=nameless.pk).update(email="")
    without = a_customer(company)
    consent(without)
    mailing = start(a_mailing(company, offer=an_offer(company)))
    tick(company)
    found = dict(rows_of(mailing).values_list("customer_id", "left_out"))
    assert found[allowed.pk] == ""
    assert (found[blocked.pk], found[nameless.pk], found[without.pk]) == ("blocked", "no_address", "no_subscription")
    assert counts(mailing) == {
        "meant": 5, "planned": 1, "sent": 1, "left_out": 4, "blocked": 1, "no_address": 1, "no_subscription": 1,
        "no_consent": 1,
    }  # fmt: skip
    assert [mail.recipients for mail in mails(company)] == [[allowed.email]]


def test_who_withdraws_after_it_was_fixed_is_not_written_to() -> None:
    from customers.services import consents

    company = a_house()
    first, second = (row.customer for row in subscribers(company, 2))
    mailing = start(a_mailing(company, per_hour=1))
    assert tick(company)["sent"] == 1
    assert [mail.customer_id for mail in mails(company)] == [first.pk]
    consents.withdraw(holder=second, by=BY, at=NOW)
    assert tick(company, later(hours=2))["sent"] == 0
    assert rows_of(mailing).get(customer=second).left_out == "no_consent"


def test_no_more_go_out_in_an_hour_than_it_says() -> None:
    company = a_house()
    subscribers(company, 5)
    mailing = start(a_mailing(company, per_hour=2))
    instants = [later(minutes=minutes) for minutes in (0, 5, 59, 60, 65, 121, 126)]
    assert [tick(company, at)["sent"] for at in instants] == [2, 0, 0, 2, 0, 1, 0]
    mailing.refresh_from_db()
    assert (mailing.state, mailing.done_at) == ("done", later(minutes=121))


def test_it_starts_when_it_is_due_and_means_who_is_there_then() -> None:
    company = a_house()
    subscribers(company, 1)
    from crm.services import mailings

    mailing = a_mailing(company)
    mailings.schedule(mailing=mailing, starts_at=later(hours=3), by=BY, at=NOW)
    assert tick(company, later(hours=2))["sent"] == 0
    subscribers(company, 1)
    assert tick(company, later(hours=3))["sent"] == 2
    subscribers(company, 1)
    assert tick(company, later(hours=4))["sent"] == 0


def test_paused_it_waits_and_goes_on_where_it_stood() -> None:
    from crm.services import mailings

    company = a_house()
    subscribers(company, 3)
    mailing = start(a_mailing(company, per_hour=1))
    tick(company)
    mailings.pause(mailing=mailing, by=BY, at=later(hours=1))
    assert tick(company, later(hours=2))["sent"] == 0
    mailings.resume(mailing=mailing, by=BY, at=later(hours=3))
    assert [tick(company, later(hours=hours))["sent"] for hours in (3, 5, 7)] == [1, 1, 0]
    assert len({mail.customer_id for mail in mails(company)}) == 3


def test_canceled_it_writes_to_nobody_any_more_and_can_not_go_on() -> None:
    from core.refusal import Refused
    from crm.services import mailings

    company = a_house()
    subscribers(company, 2)
    mailing = start(a_mailing(company, per_hour=1))
    tick(company)
    mailings.cancel(mailing=mailing, by=BY, at=NOW)
    assert tick(company, later(hours=5))["sent"] == 0
    with pytest.raises(Refused, match="mailing.state"):
        mailings.resume(mailing=mailing, by=BY, at=NOW)


def test_a_crash_between_mails_and_note_doubles_nothing_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from crm.services import mailing_sending
    from customers.models import Message

    company = a_house()
    subscribers(company, 5)
    mailing = start(a_mailing(company))
    monkeypatch.setattr(mailing_sending, "PORTION", 2)
    reached = []

    def crash(name: str) -> None:
        reached.append(name)
        if len(reached) in (1, 3, 5):
            raise RuntimeError(name)

    with monkeypatch.context() as broken:
        broken.setattr(mailing_sending, "point", crash)
        for _ in range(3):
            with pytest.raises(RuntimeError):
                tick(company)
    assert reached == ["mailing.started", "mailing.started", "mailing.portion", "mailing.portion", "mailing.portion"]
    assert Message.objects.filter(company=company).count() == rows_of(mailing).filter(sent_at__isnull=False).count()
    tick(company)
    assert sorted(mail.customer_id for mail in mails(company)) == sorted(rows_of(mailing).values_list(
        "customer_id", flat=True
    ))  # fmt: skip
    assert len(mails(company)) == 5


def test_the_database_refuses_a_second_row_of_a_customer() -> None:
    from django.db import IntegrityError, transaction

    from crm.models import MailingRecipient

    company = a_house()
    subscribers(company, 1)
    mailing = start(a_mailing(company))
    tick(company)
    row = rows_of(mailing).get()
    with pytest.raises(IntegrityError, match="mailing_recipient_once"), transaction.atomic():
        MailingRecipient.objects.create(company=company, mailing=mailing, customer_id=row.customer_id)


def test_the_offer_is_for_the_subscription_that_the_segment_means() -> None:
    from tests.factories import a_plan, a_subscription

    company = a_house()
    [monthly] = subscribers(company, 1)
    yearly = a_subscription(company, monthly.customer, a_plan(company, rules={"interval_unit": "year"}), on=START)
    rules = only({"field": "interval", "op": "in", "value": ["year"]})
    mailing = start(a_mailing(company, offer=an_offer(company), segment=a_segment(company, rules)))
    tick(company)
    assert rows_of(mailing).get().subscription == yearly


def read(mailing: Any, customer: Any) -> Any:
    """The recipient behind the link in the customer's mail."""
    import re

    from crm.services import mailing_links
    from customers.models import Message

    body = Message.objects.get(company=mailing.company, customer=customer, subject_kind="mailing_recipient").body
    return mailing_links.read(re.search(r"/m/([^/\s]+)/", body)[1])  # type: ignore[index]


def test_an_offer_taken_counts_with_what_the_revenue_then_does() -> None:
    """Monthly 10.00: a fifth off is -2.00; two more units are worth 2 * 8.00 with it. Another customer's counts not."""
    from billing.services import acts_changing as acts
    from crm.services import mailing_offers, mailing_results
    from tests.billing.test_settling import bill

    company = a_house()
    taker, other = subscribers(company, 2)
    bill(company, START)
    mailing = start(a_mailing(company, offer=an_offer(company), attribution_days=60))
    tick(company)
    recipient = read(mailing, taker.customer)
    mailing_offers.note_clicked(recipient, at=NOW)
    shown = mailing_offers.preview(recipient, by=BY, at=NOW)
    for _ in range(2):
        mailing_offers.accept(recipient=recipient, preview_token=shown.token, by=BY, at=NOW)
    assert taker.discounts.count() == 1
    for days, subscription in ((31, taker), (31, other), (92, taker)):
        day = START + timedelta(days=days)
        at = set_clock(company, day)
        bill(company, day)
        slot = subscription.slots.get()
        before = slot.terms.order_by("-from_on")[0].quantity
        acts.change(subscription=subscription, items=_quantity(subscription, before + 1), by=BY, at=at)
    assert counts(mailing)["clicked"] == counts(mailing)["accepted"] == 1
    found = mailing_results.results([mailing])[mailing.pk]
    listed = [(row.kind, row.amount_minor, row.customer_id) for row in mailing_results.movements(mailing)]
    assert {customer for _kind, _minor, customer in listed} == {taker.customer_id}
    assert found.gained == {"EUR": sum(minor for kind, minor, _ in listed if kind == "expansion")}
    assert sum(found.net.values()) == sum(minor for _kind, minor, _customer in listed)
    assert found.gained["EUR"] > 0
    assert all(row.effective_on <= START + timedelta(days=60) for row in mailing_results.movements(mailing))


def _quantity(subscription: Any, quantity: Any) -> Any:
    from subscriptions.services.change_specs import ItemChange

    return [ItemChange(slot=subscription.slots.get(), quantity=quantity)]


def test_a_code_counts_when_its_reader_uses_it() -> None:
    from billing.services import acts_discounting
    from catalog.services.discounts import create_code

    company = a_house()
    reader, other = subscribers(company, 2)
    offer = an_offer(company)
    code = create_code(discount=offer.discount, code="SPRING", by=BY, at=NOW)
    rules = only({"field": "email", "op": "is", "value": reader.customer.email})
    mailing = start(a_mailing(company, offer_code=code, segment=a_segment(company, rules),
                              body={"en": "Use {code} here: {link}"}))  # fmt: skip
    tick(company)
    assert "Use SPRING here" in mails(company)[0].body
    for subscription in (reader, other):
        acts_discounting.redeem(subscription=subscription, code="SPRING", by=BY, at=later(hours=1))
    assert tick(company, later(hours=2))["redeemed"] == 1
    assert rows_of(mailing).get().agreed == reader.discounts.get()
    assert counts(mailing)["accepted"] == 1


def test_mails_that_come_back_and_who_unsubscribes_are_counted() -> None:
    from customers.models import Message
    from customers.services import unsubscribing

    company = a_house()
    subscribers(company, 3)
    mailing = start(a_mailing(company))
    tick(company)
    back, away, _kept = mails(company)
    Message.objects.filter(pk=back.pk).update(state="bounced")
    unsubscribing.unsubscribe(message=away, at=later(hours=1))
    assert counts(mailing) == {"meant": 3, "planned": 3, "sent": 3, "bounced": 1, "unsubscribed": 1}


def test_a_term_that_renews_within_the_days_counts_once() -> None:
    from tests.crm.reminding import RENEWAL, move

    company = a_house()
    subscription = a_subscriber(company)
    consent(subscription.customer)
    sent_on = RENEWAL - timedelta(days=20)
    at = set_clock(company, sent_on)
    mailing = start(a_mailing(company, attribution_days=30), at=at)
    assert tick(company, at) == {"sent": 1, "renewed": 0, "redeemed": 0}
    move(company, RENEWAL)
    later_on = set_clock(company, RENEWAL)
    assert [tick(company, later_on)["renewed"] for _ in range(2)] == [1, 0]
    assert counts(mailing)["renewed"] == 1


def test_a_click_of_somebody_who_never_bought_is_their_first_touch() -> None:
    from crm.services import mailing_offers
    from subscriptions.models import FirstTouch
    from tests.factories import a_customer

    company = a_house()
    [buyer] = subscribers(company, 1)
    newcomer = a_customer(company)
    consent(newcomer)
    campaign = a_campaign(company)
    mailing = start(a_mailing(company, campaign=campaign, body={"en": "Look: {link}"}))
    tick(company)
    for customer in (newcomer, buyer.customer):
        mailing_offers.note_clicked(read(mailing, customer), at=NOW)
    assert list(FirstTouch.objects.values_list("customer_id", "campaign_id")) == [(newcomer.pk, campaign.pk)]


def test_a_program_that_checks_links_is_no_click(client: Any) -> None:
    import re

    company = a_house()
    subscribers(company, 1)
    mailing = start(a_mailing(company, offer=an_offer(company)))
    tick(company)
    path = re.search(r"/m/[^/\s]+/", mails(company)[0].body)[0]  # type: ignore[index]
    for agent, clicked in (("Barracuda Link Scanner", 0), ("Mozilla/5.0 Firefox/128.0", 1)):
        answer = client.get(path, headers={"User-Agent": agent})
        assert "20 % off the next year" in answer.content.decode()
        assert counts(mailing).get("clicked", 0) == clicked


def test_a_test_mail_goes_to_staff_alone_and_counts_nothing() -> None:
    from crm.services import mailings
    from customers.models import Message

    company = a_house()
    [one] = subscribers(company, 1)
    mailing = a_mailing(company, offer=an_offer(company))
    message = mailings.send_test(mailing=mailing, customer=one.customer, address="me@office.example", by=BY, at=NOW)
    assert (message.recipients, message.customer_id) == (["me@office.example"], None)
    assert message.subject == f"[Test] An offer for {one.customer.name}"
    assert "/m/" not in message.body
    assert Message.objects.filter(company=company).count() == 1
    assert counts(mailing) == {}


@pytest.mark.parametrize(("changes", "code"), [
    ({"subject": {}}, "mailing.no_words"),
    ({"body": {"en": "x", "de": "nur Text"}}, "mailing.no_words"),
    ({"body": {"en": "{password}"}}, "mail_text.unknown_placeholder"),
    ({"per_hour": 0}, "number.range"),
])  # fmt: skip
def test_what_can_not_be_sent_is_refused(changes: dict[str, Any], code: str) -> None:
    from core.refusal import Refused

    with pytest.raises(Refused, match=code):
        a_mailing(a_house(), **changes)


def test_a_text_that_hides_its_offer_is_refused() -> None:
    from core.refusal import Refused

    company = a_house()
    with pytest.raises(Refused, match="mailing.link_not_named"):
        a_mailing(company, offer=an_offer(company), body={"en": "Nothing"})


def test_a_reminder_rule_reminds_only_those_in_its_segment() -> None:
    from tests.crm.reminding import RENEWAL, a_rule
    from tests.crm.reminding import mails as written
    from tests.crm.reminding import tick as remind

    company = a_house()
    in_it, _out = a_subscriber(company, kind="person"), a_subscriber(company)
    segment = a_segment(company, only({"field": "kind", "op": "in", "value": ["person"]}))
    a_rule(company, segment=segment)
    a_rule(company, name="Second", days=29, segment=segment)
    assert remind(company, RENEWAL - timedelta(days=30))["reminded"] == 1
    from crm.models import Reminder

    assert Reminder.objects.get().customer == in_it.customer
    assert len(written(company)) == 1


def test_at_most_a_few_statements_a_portion(django_assert_max_num_queries: Any) -> None:
    company = a_house()
    subscribers(company, 40)
    start(a_mailing(company))
    with django_assert_max_num_queries(40):
        assert tick(company, at_noon(START))["sent"] == 40
    assert connection.vendor == "postgresql"
