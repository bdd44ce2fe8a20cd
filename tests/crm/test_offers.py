"""An offer in a reminder, seen and taken without signing in; taken once, and only as long as it holds.

The subscriber pays 120.00 a year plus 19 % from 1 March 2026 on; the offer takes a fifth off the year from 1 March
2027: 96.00, with tax 114.24.
"""

from __future__ import annotations

from datetime import date

import pytest

from tests.crm.reminding import RENEWAL, START, a_house, a_rule, a_subscriber, an_offer, consent, tick
from tests.factories import BY, at_noon, set_clock

pytestmark = pytest.mark.django_db
SENT = date(2027, 1, 30)


@pytest.fixture
def company():
    return a_house()


@pytest.fixture
def offer(company):
    return an_offer(company)


@pytest.fixture
def reminder(company, offer):
    from crm.models import Reminder
    from tests.billing.test_settling import bill

    subscription = a_subscriber(company, name="Ada")
    bill(company, START)
    consent(subscription.customer)
    a_rule(company, category="marketing", offer=offer)
    tick(company, SENT)
    return Reminder.objects.get(company=company)


def link(reminder) -> str:
    from crm.services import offer_links

    return f"/r/{offer_links.token_of(reminder, on=SENT)}/"


def take(client, reminder):
    """Opens the page and presses the button as shown."""
    token = client.get(link(reminder)).context["preview_token"]
    return client.post(link(reminder), {"preview_token": token})


def refusal(function, *args, **kwargs) -> str:
    from core.refusal import Refused

    with pytest.raises(Refused) as caught:
        function(*args, **kwargs)
    return caught.value.code


def test_the_mail_names_the_offer_and_its_last_day(reminder):
    body = reminder.message.body
    assert "20 % off the next year" in body
    assert "Take the offer by 1 March 2027" in body
    assert reminder.offer_until_on == date(2027, 3, 1)


def test_looking_shows_the_renewal_with_and_without_it(client, reminder):
    page = client.get(link(reminder))
    text = page.content.decode()
    assert page.status_code == 200
    assert "€142.80" in text
    assert "€114.24" in text
    reminder.refresh_from_db()
    assert (reminder.opened_at, reminder.accepted_at) == (at_noon(SENT), None)
    assert reminder.subscription.discounts.count() == 0


def test_a_head_request_opens_nothing(client, reminder):
    client.head(link(reminder))
    reminder.refresh_from_db()
    assert reminder.opened_at is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"},
        {"User-Agent": "Mozilla/5.0 (compatible; xBot/2.1)"}, {"User-Agent": "Mimecast link scanner"},
    ],
)  # fmt: skip
def test_a_program_that_looks_at_links_opens_nothing(client, reminder, headers):
    assert client.get(link(reminder), headers=headers).status_code == 200
    reminder.refresh_from_db()
    assert reminder.opened_at is None
    client.get(link(reminder), headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"})
    reminder.refresh_from_db()
    assert reminder.opened_at == at_noon(SENT)


def test_one_click_gives_the_discount_to_the_renewal(client, reminder):
    assert take(client, reminder).status_code == 302
    reminder.refresh_from_db()
    discount = reminder.subscription.discounts.get()
    assert (reminder.accepted_at, reminder.agreed, discount.from_on) == (at_noon(SENT), discount, RENEWAL)


def test_the_next_invoice_is_what_was_shown(client, company, reminder):
    from billing.models import Invoice
    from tests.billing.test_settling import bill

    take(client, reminder)
    set_clock(company, RENEWAL)
    bill(company, RENEWAL)
    last = Invoice.objects.filter(company=company).latest("pk")
    assert (last.net_minor, last.gross_minor) == (9600, 11424)


def test_the_year_after_costs_the_full_price_again(client, company, reminder):
    from billing.models import Invoice
    from tests.billing.test_settling import bill

    take(client, reminder)
    for day in (RENEWAL, date(2028, 3, 1)):
        set_clock(company, day)
        bill(company, day)
    assert Invoice.objects.filter(company=company).latest("pk").net_minor == 12000


def test_clicking_twice_is_clicking_once(client, reminder):
    take(client, reminder)
    again = client.post(link(reminder), {"preview_token": "anything"})
    assert again.status_code == 302
    assert reminder.subscription.discounts.count() == 1
    assert "The offer is yours" in client.get(link(reminder)).content.decode()


def test_a_click_that_would_do_something_else_is_refused(client, reminder):
    assert client.post(link(reminder), {"preview_token": "x"}).status_code == 422
    assert reminder.subscription.discounts.count() == 0


def test_taking_it_is_audited_and_told(client, reminder):
    from core.models import AuditEntry, Event

    take(client, reminder)
    entry = AuditEntry.objects.get(verb="offer.accept")
    event = Event.objects.get(type="offer.accepted")
    assert entry.actor_label == "link in a reminder"
    assert event.data["reminder"] == reminder.ref
    assert event.data["subscription"] == reminder.subscription.ref


def test_after_its_last_day_it_can_not_be_taken(company, reminder):
    from crm.services import offers

    at = at_noon(date(2027, 3, 2))
    assert refusal(offers.accept, reminder=reminder, by=BY, at=at) == "offer.over"


def test_a_link_says_when_it_is_over(client, company, reminder):
    address = link(reminder)
    set_clock(company, date(2027, 4, 10))
    assert client.get(address).status_code == 410


def test_a_made_up_link_opens_nothing(client, reminder):
    assert client.get("/r/made-up/").status_code == 404


def test_who_canceled_is_told_so(company, reminder):
    from billing.services import acts
    from crm.services import offers

    acts.cancel(subscription=reminder.subscription, timing="period_end", by=BY, at=at_noon(SENT), on=SENT)
    reminder.refresh_from_db()
    reminder.subscription.refresh_from_db()
    assert refusal(offers.accept, reminder=reminder, by=BY, at=at_noon(SENT)) == "offer.canceled"


def test_an_archived_offer_is_no_longer_given(company, reminder, offer):
    from crm.services import offers

    offers.archive(offer=offer, by=BY, at=at_noon(SENT))
    assert refusal(offers.accept, reminder=reminder, by=BY, at=at_noon(SENT)) == "offer.withdrawn"


def test_one_customer_takes_it_once(company, reminder, offer):
    from crm.models import Reminder
    from crm.services import offers
    from tests.crm.reminding import YEARLY
    from tests.factories import a_plan, a_subscription

    other = a_subscription(company, reminder.customer, a_plan(company, amount="60.00", rules=YEARLY), on=SENT)
    offers.accept(reminder=reminder, by=BY, at=at_noon(SENT))
    second = Reminder.objects.create(
        company=company, rule=reminder.rule, customer=reminder.customer, subscription=other, subject_id=other.pk,
        occasion_on=date(2028, 1, 30), offer=offer, offer_until_on=RENEWAL, sent_at=at_noon(SENT),
    )  # fmt: skip
    assert refusal(offers.accept, reminder=second, by=BY, at=at_noon(SENT)) == "offer.used"


def test_staff_take_it_back(company, reminder):
    from billing.models import Invoice
    from crm.services import offers
    from tests.billing.test_settling import bill

    offers.accept(reminder=reminder, by=BY, at=at_noon(SENT))
    back = offers.take_back(reminder=reminder, by=BY, at=at_noon(SENT))
    assert back.taken_back_at == at_noon(SENT)
    assert offers.take_back(reminder=reminder, by=BY, at=at_noon(RENEWAL)).taken_back_at == at_noon(SENT)
    set_clock(company, RENEWAL)
    bill(company, RENEWAL)
    assert Invoice.objects.filter(company=company).latest("pk").net_minor == 12000


def test_an_offer_is_advertising_by_rule_and_by_table(company, offer):
    from django.db import IntegrityError, transaction

    from crm.models import ReminderRule

    assert refusal(a_rule, company, offer=offer) == "reminder.offer_is_advertising"
    rule = a_rule(company)
    with pytest.raises(IntegrityError, match="reminder_rule_offers_are_advertising"), transaction.atomic():
        ReminderRule.objects.filter(pk=rule.pk).update(offer=offer)


def test_no_offer_is_made_where_nothing_is_agreed(company, offer):
    assert (
        refusal(a_rule, company, occasion="payment_due", category="marketing", offer=offer) == "reminder.no_offer_here"
    )
