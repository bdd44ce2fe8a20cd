"""Who is reminded of what, when, and once.

The subscriber pays 120.00 a year from 1 March 2026 on; the term renews on 1 March 2027, a month's notice reaches its
end until 31 January 2027.
"""

from __future__ import annotations

from datetime import date

import pytest

from tests.crm.reminding import RENEWAL, YEARLY, a_house, a_rule, a_subscriber, consent, mails, move, tick
from tests.factories import BY, a_customer, a_plan, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db
MAY = date(2026, 5, 1)


@pytest.fixture
def company():
    return a_house()


def test_a_renewal_is_told_thirty_days_before(company):
    a_subscriber(company, name="Ada")
    a_rule(company)
    assert tick(company, date(2027, 1, 29)) == {"reminded": 0, "failed": 0}
    assert tick(company, date(2027, 1, 30)) == {"reminded": 1, "failed": 0}


def test_the_mail_says_day_price_and_deadline(company):
    subscription = a_subscriber(company, name="Ada")
    a_rule(company)
    tick(company, date(2027, 1, 30))
    from crm.models import Reminder

    message = Reminder.objects.get(company=company).message
    assert message.subject == f"{subscription.name} renews on 1 March 2027"
    assert "renews on 1 March 2027, at €120.00 per year (net, tax is added)." in message.body
    assert "cancel by 31 January 2027" in message.body
    assert "/r/" in message.body
    assert message.category == "contract"
    assert "nsubscribe" not in message.body


def test_asked_again_nobody_is_reminded_twice(company):
    a_subscriber(company)
    a_rule(company)
    for day in (date(2027, 1, 30), date(2027, 1, 30), date(2027, 1, 31), date(2027, 2, 5)):
        tick(company, day)
    assert len(mails(company)) == 1


def test_a_missed_day_is_caught_up_within_the_week(company):
    a_subscriber(company)
    a_rule(company)
    assert tick(company, date(2027, 2, 6))["reminded"] == 1


def test_what_is_later_than_that_is_not_told(company):
    a_subscriber(company)
    a_rule(company)
    assert tick(company, date(2027, 2, 7))["reminded"] == 0


def test_a_renewal_that_is_over_is_not_told(company):
    a_subscriber(company)
    a_rule(company, days=3)
    assert tick(company, RENEWAL)["reminded"] == 0


def test_the_next_term_is_an_occasion_of_its_own(company):
    a_subscriber(company)
    a_rule(company)
    tick(company, date(2027, 1, 30))
    move(company, RENEWAL)
    assert tick(company, date(2028, 1, 31))["reminded"] == 1


def test_who_canceled_is_not_reminded(company):
    from billing.services import acts

    subscription = a_subscriber(company)
    a_rule(company)
    acts.cancel(
        subscription=subscription, timing="period_end", by=BY, at=at_noon(date(2026, 5, 1)), on=date(2026, 5, 1)
    )
    assert tick(company, date(2027, 1, 30))["reminded"] == 0


def test_a_contract_that_expires_is_not_renewed(company):
    a_subscriber(company, plan=a_plan(company, rules={**YEARLY, "renewal_rule": "expire"}))
    a_rule(company)
    assert tick(company, date(2027, 1, 30))["reminded"] == 0


def test_an_archived_customer_is_left_alone(company):
    from customers.services.customers import archive_customer

    subscription = a_subscriber(company)
    a_rule(company)
    archive_customer(customer=subscription.customer, by=BY, at=at_noon(date(2026, 5, 1)))
    assert tick(company, date(2027, 1, 30))["reminded"] == 0


def test_a_customer_without_an_address_gets_no_mail(company):
    a_subscriber(company, email="")
    a_rule(company)
    assert tick(company, date(2027, 1, 30))["reminded"] == 0


def test_a_blocked_address_gets_no_mail(company):
    from customers.services import suppressing

    subscription = a_subscriber(company, email="Ada@example.com")
    a_rule(company)
    suppressing.suppress(company=company, address="ada@example.com", reason="bounced", by=BY, at=at_noon(RENEWAL))
    assert tick(company, date(2027, 1, 30))["reminded"] == 0
    assert subscription.customer.email == "Ada@example.com"


def test_a_rule_that_is_switched_off_is_silent(company):
    from crm.services import reminder_rules

    a_subscriber(company)
    rule = a_rule(company)
    reminder_rules.switch(rule=rule, is_active=False, by=BY, at=at_noon(RENEWAL))
    assert tick(company, date(2027, 1, 30))["reminded"] == 0


def test_the_last_day_to_cancel_is_the_contract_clocks(company):
    from crm.models import Reminder
    from subscriptions.services import terms

    subscription = a_subscriber(company)
    a_rule(company, occasion="before_notice_deadline", days=14)
    assert tick(company, date(2027, 1, 17))["reminded"] == 1
    subscription.refresh_from_db()
    assert Reminder.objects.get().occasion_on == date(2027, 1, 31)
    assert terms.contract_clock_of(subscription, on=date(2027, 1, 17)).cancel_by == date(2027, 1, 31)


def test_grace_days_move_the_deadline(company):
    from crm.models import Reminder
    from subscriptions.services import terms

    subscription = a_subscriber(company, plan=a_plan(company, rules={**YEARLY, "grace_days": 10}))
    a_rule(company, occasion="before_notice_deadline", days=14)
    tick(company, date(2027, 2, 24))
    subscription.refresh_from_db()
    assert Reminder.objects.get().occasion_on == date(2027, 3, 10)
    assert terms.contract_clock_of(subscription, on=date(2027, 2, 24)).cancel_by == date(2027, 3, 10)


def test_a_trial_is_told_a_week_before_it_costs(company):
    a_subscriber(company, plan=a_plan(company, trial_days=30, trial_end="convert"))
    a_rule(company, occasion="before_trial_end", days=7)
    # Thirty days from 1 March on are free; 31 March is the first paid one.
    assert tick(company, date(2026, 3, 23))["reminded"] == 0
    assert tick(company, date(2026, 3, 24))["reminded"] == 1


def test_payment_due_is_told_to_who_pays_by_hand(company):
    from tests.billing.test_settling import bill

    a_subscriber(company)
    bill(company, date(2026, 3, 1))
    a_rule(company, occasion="payment_due", days=3)
    assert tick(company, date(2026, 3, 12))["reminded"] == 1
    ((template, subject),) = [mail for mail in mails(company) if mail[0] == "remind_due"]
    assert subject.endswith("is due on 15 March 2026")


def test_conditions_choose_whom_it_is_for(company):
    plan = a_plan(company, amount="120.00", rules=YEARLY)
    a_subscriber(company, plan=plan, kind="person", country="FR", language="fr", name="Fleur")
    a_subscriber(company, plan=plan, kind="company", country="DE", name="Firma")
    a_subscriber(company, name="Other plan", country="FR", kind="person", language="fr")
    a_rule(company, plans=[plan], countries=["FR"], customer_kind="person", language="fr", cycle_unit="year",
           minimum_minor=1000, shortest_term_months=12)  # fmt: skip
    assert tick(company, date(2027, 1, 30))["reminded"] == 1
    from crm.models import Reminder

    assert Reminder.objects.get().customer.name == "Fleur"


def test_the_smallest_amount_is_monthly_revenue(company):
    a_subscriber(company)
    rule = {"minimum_minor": 1001}
    a_rule(company, **rule)
    assert tick(company, date(2027, 1, 30))["reminded"] == 0


def test_own_words_stand_in_the_readers_language(company):
    a_subscriber(company, language="de", name="Ada")
    a_rule(company, subject={"de": "Bald: {day}"}, body={"de": "Liebe {customer}, {price}."})
    tick(company, date(2027, 1, 30))
    from customers.models import Message

    message = Message.objects.get(company=company)
    said = "Liebe Ada, 120,00\xa0€ pro Jahr (netto, zuzüglich Steuer).\n"
    assert (message.subject, message.body) == ("Bald: 1. März 2027", said)


def test_advertising_needs_consent(company):
    subscription = a_subscriber(company)
    a_rule(company, category="marketing")
    assert tick(company, date(2027, 1, 30))["reminded"] == 0
    consent(subscription.customer)
    assert tick(company, date(2027, 1, 30))["reminded"] == 1
    from customers.models import Message

    message = Message.objects.get(company=company)
    assert message.category == "marketing"
    assert "/unsubscribe/" in message.body


def test_a_banner_alone_writes_no_mail(company):
    a_subscriber(company)
    a_rule(company, channel="portal")
    assert tick(company, date(2027, 1, 30))["reminded"] == 1
    assert mails(company) == []


def test_who_left_is_invited_back(company):
    from billing.services import acts

    subscription = a_subscriber(company)
    consent(subscription.customer)
    acts.cancel(
        subscription=subscription, timing="period_end", by=BY, at=at_noon(date(2026, 5, 1)), on=date(2026, 5, 1)
    )
    move(company, RENEWAL)
    a_rule(company, occasion="win_back", days=90, category="marketing")
    assert tick(company, date(2027, 5, 29))["reminded"] == 0
    assert tick(company, date(2027, 5, 30))["reminded"] == 1


def test_who_came_back_by_himself_is_not_invited(company):
    from billing.services import acts

    subscription = a_subscriber(company)
    consent(subscription.customer)
    acts.cancel(
        subscription=subscription, timing="period_end", by=BY, at=at_noon(date(2026, 5, 1)), on=date(2026, 5, 1)
    )
    move(company, RENEWAL)
    set_clock(company, date(2027, 4, 1))
    a_subscription(company, subscription.customer, a_plan(company), on=date(2027, 4, 1))
    a_rule(company, occasion="win_back", days=90, category="marketing")
    assert tick(company, date(2027, 5, 30))["reminded"] == 0


def test_a_renewed_term_is_an_effect(company):
    from crm.models import Reminder
    from crm.services import reminder_outcomes

    a_subscriber(company)
    a_rule(company)
    tick(company, date(2027, 1, 30))
    move(company, RENEWAL)
    assert reminder_outcomes.follow_up(company=company, at=at_noon(RENEWAL)) == {"renewed": 1, "canceled": 0}
    assert Reminder.objects.get().renewed_at == at_noon(RENEWAL)
    assert reminder_outcomes.follow_up(company=company, at=at_noon(RENEWAL)) == {"renewed": 0, "canceled": 0}


def test_leaving_after_a_reminder_is_one_too(company):
    from billing.services import acts
    from crm.services import reminder_outcomes

    subscription = a_subscriber(company)
    a_rule(company)
    tick(company, date(2027, 1, 30))
    acts.cancel(subscription=subscription, timing="period_end", by=BY, at=at_noon(date(2027, 1, 31)),
                on=date(2027, 1, 31))  # fmt: skip
    move(company, RENEWAL)
    assert reminder_outcomes.follow_up(company=company, at=at_noon(RENEWAL)) == {"renewed": 0, "canceled": 1}


def test_nothing_due_costs_two_questions(company, django_assert_num_queries):
    from crm.services import reminding

    a_rule(company)
    a_rule(company, occasion="card_expiring")
    a_rule(company, occasion="payment_failed", days=1)
    with django_assert_num_queries(2):
        reminding.remind_due(company=company, at=at_noon(date(2027, 1, 1)))


def test_every_occasion_is_a_question_the_database_understands(company):
    from crm.models import ReminderRule
    from crm.services import occasions
    from crm.services.occasions import Window

    for occasion in ReminderRule.Occasion.values:
        rule = a_rule(company, occasion=occasion, category="marketing", only_stale_method=True, minimum_minor=1)
        assert occasions.count(rule, company, Window.of(rule, RENEWAL, ahead=30)) == 0


def test_a_new_company_begins_with_sensible_rules():
    from crm.models import ReminderRule
    from crm.services import reminder_rules
    from tests.factories import a_company

    company = a_company(language="de")
    assert reminder_rules.ensure_defaults(company=company, at=company.clock_at)
    assert not reminder_rules.ensure_defaults(company=company, at=company.clock_at)
    rules = ReminderRule.objects.filter(company=company, is_active=True).values_list("occasion", "days")
    assert set(rules) == {
        ("before_renewal", 30), ("before_trial_end", 7), ("before_price_change", 30), ("card_expiring", 30),
        ("card_expiring", 7), ("mandate_expiring", 60),
    }  # fmt: skip


def test_a_card_is_told_a_month_and_a_week_before_it_expires(company):
    from billing.models import Gateway, PaymentMethod

    subscription = a_subscriber(company)
    gateway = Gateway.objects.create(company=company, kind="stripe", name="Stripe", created_at=at_noon(RENEWAL))
    PaymentMethod.objects.create(
        company=company, customer=subscription.customer, gateway=gateway, kind="card", status="active",
        is_default=True, label="Visa •••• 4242", expires_on=date(2026, 6, 30), created_at=at_noon(RENEWAL),
    )  # fmt: skip
    a_rule(company, occasion="card_expiring", days=30, late_days=20)
    a_rule(company, occasion="card_expiring", days=7)
    days = [day for day in range(1, 31) if tick(company, date(2026, 6, day))["reminded"]]
    assert (tick(company, date(2026, 5, 31))["reminded"], days) == (0, [1, 23])
    assert mails(company)[0][1] == "Visa •••• 4242 expires on 30 June 2026"


def test_a_customer_of_another_company_is_not_reminded(company):
    other = a_house()
    a_subscriber(other)
    a_rule(company)
    assert tick(company, date(2027, 1, 30))["reminded"] == 0
    assert a_customer(company).reminders.count() == 0


def test_chunk_by_chunk_nobody_is_left_out(company, monkeypatch):
    from crm.services import reminding

    monkeypatch.setattr(reminding, "CHUNK", 2)
    for language in ("de", "en", "fr", "en", "de"):
        a_subscriber(company, language=language)
    a_rule(company)
    assert tick(company, date(2027, 1, 30)) == {"reminded": 5, "failed": 0}
    assert len(mails(company)) == 5


def test_one_that_cannot_be_told_stops_nobody(company, monkeypatch):
    from crm.models import Reminder
    from crm.services.reminder_facts import Known

    bad, good = a_subscriber(company, name="Bad"), a_subscriber(company, name="Good")
    a_rule(company)
    facts = Known.facts

    def poisoned(self, row, **more):
        if row.subscription_id == bad.pk:
            raise ValueError("poison")
        return facts(self, row, **more)

    monkeypatch.setattr(Known, "facts", poisoned)
    assert tick(company, date(2027, 1, 30)) == {"reminded": 1, "failed": 1}
    assert Reminder.objects.get().subscription == good
    monkeypatch.undo()
    assert tick(company, date(2027, 1, 31)) == {"reminded": 1, "failed": 0}


def test_a_discount_that_holds_lowers_the_price_that_is_told(company):
    from decimal import Decimal

    from billing.services import acts_discounting
    from catalog.services.discounts import create_discount
    from customers.models import Message

    subscription = a_subscriber(company)
    tenth = create_discount(company=company, code="tenth", name={"en": "Tenth"}, percent=Decimal(10), by=BY,
                            at=at_noon(MAY))  # fmt: skip
    acts_discounting.give(subscription=subscription, discount=tenth, by=BY, at=at_noon(MAY), on=MAY)
    a_rule(company)
    tick(company, date(2027, 1, 30))
    assert "at €108.00 per year" in Message.objects.get(company=company, subject_kind="reminder").body
