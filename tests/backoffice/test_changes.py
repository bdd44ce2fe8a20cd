"""Changes of what runs, in the back office: shown with their sums, done as shown, listed, taken back.

The subscription starts on 15 March 2026 at 100.00 net a month; today is 25 March: 21 of 31 paid days are left.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from subscriptions.models import Change, SlotTerms, Subscription
from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.test_acts import do, fields_of, text_of
from tests.factories import BY, a_customer, a_plan, a_product, at_noon, set_clock

LATER = date(2026, 3, 25)
ACTS = (
    "change-plan", "change-terms", "add-position", "remove-position", "pause", "resume", "suspend", "reinstate",
    "billing-day", "withdraw", "terminate", "switch",
)  # fmt: skip


@pytest.fixture
def running(office: Office) -> Subscription:
    subscription: Subscription = office.start()
    set_clock(office.company, LATER)
    return subscription


def url_of(name: str, subscription: Subscription) -> str:
    return reverse(f"backoffice:subscription-{name}", args=[subscription.ref])


def shown(client: Any, url: str, **typed: Any) -> Any:
    """The page with the preview of what was typed."""
    return client.post(url, fields_of(client.get(url)) | typed)


def page_of(client: Any, subscription: Subscription) -> str:
    return text_of(client.get(reverse("backoffice:subscription", args=[subscription.ref])))


# Plan -------------------------------------------------------------------------------------------------------------


def test_a_dearer_plan_is_shown_with_what_is_given_back_and_billed_anew(office: Office, running: Subscription) -> None:
    plan = a_plan(office.company, amount="150.00", name={"de": "Groß", "en": "Big"})
    answer = shown(office.client(), url_of("change-plan", running), plan=plan.ref)
    # 21 of 31 days: 67.74 given back (80.61 with 19 %), 101.61 billed (120.92).
    documents = [(one.kind, one.gross) for one in answer.context["shown"].documents]
    assert documents == [("credit_note", 8061), ("invoice", 12092)]
    assert answer.context["sum_minor"] == 4031
    words = text_of(answer)
    assert "To the plan Big" in words
    assert "25 Mar 2026" in words
    assert "€40.31" in words
    assert not Change.objects.exists()


def test_a_change_of_plan_does_what_was_shown(office: Office, running: Subscription) -> None:
    plan = a_plan(office.company, amount="150.00")
    client = office.client()
    assert do(client, url_of("change-plan", running), plan=plan.ref).status_code == 302
    running.refresh_from_db()
    change = Change.objects.get()
    assert (running.plan_id, change.kind, change.status) == (plan.pk, "plan", "done")
    assert page_of(client, running).count("change of plan") == 1


def test_a_cheaper_plan_waits_for_the_period_and_is_taken_back(office: Office, running: Subscription) -> None:
    plan = a_plan(office.company, amount="80.00")
    client = office.client()
    answer = shown(client, url_of("change-plan", running), plan=plan.ref)
    assert answer.context["shown"].now_minor == 0
    assert [(one.on, one.gross) for one in answer.context["shown"].upcoming][:1] == [(date(2026, 4, 15), 9520)]
    do(client, url_of("change-plan", running), plan=plan.ref)
    change = Change.objects.get()
    assert (change.status, change.effective_on) == ("planned", date(2026, 4, 15))
    undo = reverse("backoffice:change-undo", args=[change.ref])
    assert undo in client.get(reverse("backoffice:subscription", args=[running.ref])).content.decode()
    assert do(client, undo).status_code == 302
    change.refresh_from_db()
    assert change.status == "undone"
    assert undo not in client.get(reverse("backoffice:subscription", args=[running.ref])).content.decode()


def test_plans_of_another_currency_are_not_offered(office: Office, running: Subscription) -> None:
    other = a_plan(office.company, currency="CHF")
    answer = shown(office.client(), url_of("change-plan", running), plan=other.ref)
    assert answer.status_code == 422
    assert "plan" in answer.context["form"].errors


def test_a_plan_of_another_company_is_no_choice(office: Office, running: Subscription) -> None:
    from tests.factories import a_company

    plan = a_plan(a_company(today=TODAY))
    assert shown(office.client(), url_of("change-plan", running), plan=plan.ref).status_code == 422


# Quantity, price, positions ----------------------------------------------------------------------------------------


def test_more_units_cost_the_difference_to_the_end_of_the_period(office: Office, running: Subscription) -> None:
    slot = running.slots.get()
    answer = shown(office.client(), url_of("change-terms", running), **{f"quantity_{slot.pk}": "3"})
    # 200.00 more for 21 of 31 days: 135.48, and 19 %.
    assert answer.context["sum_minor"] == 16122
    assert "1 → 3" in text_of(answer)


def test_a_price_is_agreed_apart(office: Office, running: Subscription) -> None:
    slot = running.slots.get()
    client = office.client()
    do(client, url_of("change-terms", running), timing="date", effective_on="2026-05-15",
       **{f"amount_{slot.pk}": "90.50"})  # fmt: skip
    row = SlotTerms.objects.get(slot=slot, from_on=date(2026, 5, 15))
    assert (row.unit_amount, row.price_id) == (Decimal("90.5"), None)
    assert "€100.00 per month → €90.50 per month" in page_of(client, running)


def test_a_form_left_as_it_is_changes_nothing_and_says_so(office: Office, running: Subscription) -> None:
    client, url = office.client(), url_of("change-terms", running)
    assert client.get(url).status_code == 200
    answer = shown(client, url)
    assert answer.status_code == 422
    assert "Nothing would change." in text_of(answer)


def test_a_date_is_asked_for_where_it_is_missing(office: Office, running: Subscription) -> None:
    slot = running.slots.get()
    typed = {f"quantity_{slot.pk}": "2", "timing": "date"}
    answer = shown(office.client(), url_of("change-terms", running), **typed)
    assert answer.status_code == 422
    assert answer.context["form"].errors == {"effective_on": ["Name the first day of the new terms."]}


def test_another_version_of_the_price_is_chosen(office: Office, running: Subscription) -> None:
    from catalog.services.plans import PriceSpec, add_price_version

    item = office.plan.items.get()
    price = add_price_version(item=item, spec=PriceSpec("EUR", Decimal(120), LATER), by=BY, at=at_noon(LATER))
    slot, client = running.slots.get(), office.client()
    do(client, url_of("change-terms", running), timing="period_end", **{f"version_{slot.pk}": str(price.pk)})
    assert SlotTerms.objects.get(slot=slot, from_on=date(2026, 4, 15)).price_id == price.pk


def test_a_position_is_added_and_removed(office: Office, running: Subscription) -> None:
    product, client = a_product(office.company), office.client()
    answer = shown(client, url_of("add-position", running), product=str(product.pk), unit_amount="31")
    # 21 of 31 days at 1.00, and 19 %.
    assert answer.context["sum_minor"] == 2499
    do(client, url_of("add-position", running), product=str(product.pk), unit_amount="31")
    slot = running.slots.get(product=product)
    do(client, url_of("remove-position", running), position=slot.ref, timing="period_end")
    assert SlotTerms.objects.get(slot=slot, from_on=date(2026, 4, 15)).standing == "removed"


def test_a_position_that_was_removed_is_shown_as_removed(office: Office, running: Subscription) -> None:
    product, client = a_product(office.company), office.client()
    do(client, url_of("add-position", running), product=str(product.pk), unit_amount="31", quantity="7")
    do(client, url_of("remove-position", running), position=running.slots.get(product=product).ref, timing="now")
    slots = client.get(reverse("backoffice:subscription", args=[running.ref])).context["slots"]
    assert [(slot.product == product, slot.is_removed) for slot in slots] == [(False, False), (True, True)]


def test_a_day_of_the_past_needs_the_right_and_a_reason(office: Office, running: Subscription) -> None:
    slot = running.slots.get()
    typed = {f"quantity_{slot.pk}": "2", "timing": "date", "effective_on": "2026-03-20"}
    url = url_of("change-terms", running)
    answer = shown(office.client("support"), url, **typed)
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["effective_on"])
    assert "override" not in answer.context["form"].fields
    assert shown(office.client("support"), url, **typed, override="on", override_reason="x").status_code == 403
    answer = shown(office.client(), url, **typed, override="on")
    assert list(answer.context["form"].errors) == ["override_reason"]
    do(office.client(), url, **typed, override="on", override_reason="Agreed by phone")
    assert Change.objects.get().effective_on == date(2026, 3, 20)


def test_figures_that_changed_since_the_preview_are_not_done(office: Office, running: Subscription) -> None:
    slot, client = running.slots.get(), office.client()
    typed = {f"quantity_{slot.pk}": "2", "step": "do", "preview_token": "0" * 64}
    answer = shown(client, url_of("change-terms", running), **typed)
    assert answer.status_code == 422
    assert "The figures have changed since the preview." in text_of(answer)
    assert not Change.objects.exists()


# Stopping and going on ---------------------------------------------------------------------------------------------


def test_a_pause_gives_back_what_is_left_and_ends_as_planned(office: Office, running: Subscription) -> None:
    client = office.client()
    answer = shown(client, url_of("pause", running), until="2026-05-01")
    # 21 of 31 days of 100.00, with 19 %: 80.61.
    assert answer.context["shown"].now_minor == -8061
    assert answer.context["shown"].next_on == date(2026, 5, 1)
    do(client, url_of("pause", running), until="2026-05-01")
    running.refresh_from_db()
    assert (running.state, running.resumes_on) == ("paused", date(2026, 5, 1))
    page = page_of(client, running)
    assert "It is paused." in page
    assert "Service resumes on 1 May 2026" in page


def test_the_end_of_a_pause_that_runs_is_planned_again_and_left_open(office: Office, running: Subscription) -> None:
    client = office.client()
    do(client, url_of("pause", running))
    assert shown(client, url_of("open-pause", running)).status_code == 422
    do(client, url_of("pause", running), until="2026-06-01")
    running.refresh_from_db()
    assert running.resumes_on == date(2026, 6, 1)
    answer = shown(client, url_of("open-pause", running))
    assert answer.context["shown"].next_note == "Nothing further will be billed."
    do(client, url_of("open-pause", running))
    running.refresh_from_db()
    assert (running.state, running.resumes_on) == ("paused", None)


def test_what_is_paused_goes_on(office: Office, running: Subscription) -> None:
    client = office.client()
    do(client, url_of("pause", running))
    set_clock(office.company, date(2026, 4, 1))
    answer = shown(client, url_of("resume", running))
    assert answer.context["sum_minor"] == 11900
    do(client, url_of("resume", running))
    running.refresh_from_db()
    assert (running.state, running.anchor_on) == ("active", date(2026, 4, 1))


def test_a_planned_pause_is_taken_back(office: Office, running: Subscription) -> None:
    client = office.client()
    do(client, url_of("pause", running), from_on="2026-04-15")
    change = Change.objects.get()
    assert (change.status, change.kind) == ("planned", "pause")
    do(client, reverse("backoffice:change-undo", args=[change.ref]))
    running.refresh_from_db()
    assert running.paused_from_on is None


def test_what_is_not_paused_does_not_resume(office: Office, running: Subscription) -> None:
    answer = shown(office.client(), url_of("resume", running))
    assert answer.status_code == 422
    assert "It isn't paused." in unescape(text_of(answer))


def test_a_suspension_and_its_end(office: Office, running: Subscription) -> None:
    client = office.client()
    do(client, url_of("suspend", running), suspended_billing="credit", reason="Not paid")
    running.refresh_from_db()
    assert (running.state, running.suspended_billing) == ("suspended", "credit")
    assert "It is suspended." in page_of(client, running)
    do(client, url_of("reinstate", running))
    running.refresh_from_db()
    assert running.state == "active"


def test_the_billing_day_moves_and_moves_back(office: Office, running: Subscription) -> None:
    client = office.client()
    answer = shown(client, url_of("billing-day", running), day="1")
    # 15 to 30 April: 16 of 30 days of the period that ends on 1 May: 53.33, and 19 %.
    first = answer.context["shown"].upcoming[0]
    assert (first.on, first.gross) == (date(2026, 4, 15), 6346)
    do(client, url_of("billing-day", running), day="1")
    change = Change.objects.get()
    assert (change.kind, change.effective_on) == ("day", date(2026, 4, 15))
    do(client, reverse("backoffice:change-undo", args=[change.ref]))
    change.refresh_from_db()
    assert change.status == "undone"


# Ways out ----------------------------------------------------------------------------------------------------------


def test_a_business_has_no_right_to_withdraw_unless_somebody_may_grant_it(
    office: Office, running: Subscription
) -> None:
    url = url_of("withdraw", running)
    answer = shown(office.client("support"), url)
    assert answer.status_code == 422
    assert "Only consumers can withdraw from a contract." in text_of(answer)
    do(office.client(), url, override="on", override_reason="Goodwill")
    running.refresh_from_db()
    assert running.end_reason == "withdrawal"


def test_a_consumer_withdraws_and_gets_everything_back(office: Office) -> None:
    person = a_customer(office.company, kind="person", name="Ida Person")
    subscription = office.start(customer=person)
    set_clock(office.company, LATER)
    answer = shown(office.client("support"), url_of("withdraw", subscription))
    assert answer.context["shown"].now_minor == -11900


def test_good_cause_ends_a_term_and_needs_the_right(office: Office, running: Subscription) -> None:
    url = url_of("terminate", running)
    assert office.client("support").get(url).status_code == 403
    answer = shown(office.client(), url, reason="Fraud", unused="refund")
    # Today is the last day: 20 of 31 days go back: 64.52, and 19 %.
    assert answer.context["shown"].now_minor == -7678
    do(office.client(), url, reason="Fraud", unused="refund")
    running.refresh_from_db()
    assert (running.ends_on, running.end_reason) == (LATER, "extraordinary")


def test_a_switch_ends_after_two_months_at_the_latest(office: Office) -> None:
    plan = a_plan(office.company, amount="100.00", rules={"minimum_count": 12, "minimum_unit": "month"})
    subscription = office.start(plan=plan)
    set_clock(office.company, LATER)
    do(office.client("support"), url_of("switch", subscription))
    subscription.refresh_from_db()
    assert (subscription.ends_on, subscription.end_reason) == (date(2026, 5, 25), "switching")


# Who and where -----------------------------------------------------------------------------------------------------


def test_the_page_offers_what_fits_the_state(office: Office, running: Subscription) -> None:
    client = office.client()

    def offered() -> set[str]:
        page = client.get(reverse("backoffice:subscription", args=[running.ref])).content.decode()
        return {name for name in ACTS if f'href="{url_of(name, running)}"' in page}

    assert offered() == set(ACTS) - {"resume", "reinstate"}
    do(client, url_of("pause", running))
    assert offered() == set(ACTS) - {"suspend", "reinstate"}


@pytest.mark.parametrize(
    ("role", "open_to"),
    [("accounting", set(ACTS)), ("support", set(ACTS) - {"terminate"}), ("viewer", set())],
)
def test_acts_open_for_those_who_may(office: Office, running: Subscription, role: str, open_to: set[str]) -> None:
    client = office.client(role)
    assert {name for name in ACTS if client.get(url_of(name, running)).status_code == 200} == open_to
    page = client.get(reverse("backoffice:subscription", args=[running.ref])).content.decode()
    told = {name for name in ACTS if f'href="{url_of(name, running)}"' in page}
    assert told == open_to - {"resume", "reinstate"}


def test_what_has_ended_is_not_changed(office: Office, running: Subscription) -> None:
    do(office.client(), url_of("terminate", running), reason="Fraud")
    set_clock(office.company, date(2026, 3, 26))
    from billing.services import acts

    acts.move_due(company=office.company, at=at_noon(date(2026, 3, 26)), by=BY)
    client = office.client()
    for name in ACTS:
        answer = client.post(url_of(name, running), {"step": "do", "preview_token": "x"})
        assert answer.status_code == 302, name
    assert not Change.objects.exists()
