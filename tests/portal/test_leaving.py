"""Canceling in two steps with a receipt, and taking it back.

The subscription of `house` starts on 1 January 2026 at 31.00 net a month; today is 10 January, 13:00 in Berlin.
"""

from __future__ import annotations

from datetime import date

import pytest
from django.urls import reverse

from tests import factories
from tests.portal.houses import a_house


def cancel_url(house) -> str:
    return reverse("portal:cancel", args=[house.subscription.ref])


def token_of(client, url: str) -> str:
    return client.get(url).context["preview"].token


def leave(client, house, choice: str = "when=period_end", **words: str):
    url = f"{cancel_url(house)}?{choice}"
    return client.post(url, {"preview_token": token_of(client, url), **words})


def receipts(house):
    from customers.models import Message

    return Message.objects.filter(customer=house.customer, template="cancellation_receipt")


def test_the_button_stands_on_the_list_and_on_the_contract(ada, house):
    assert cancel_url(house) in ada.get(reverse("portal:subscriptions")).content.decode()
    page = ada.get(reverse("portal:subscription", args=[house.subscription.ref])).content.decode()
    assert cancel_url(house) in page


def test_step_one_names_the_last_days(ada, house):
    page = ada.get(cancel_url(house)).content.decode()
    assert "With the paid period: 31 January 2026" in page
    assert "On a day of my choice" in page


def test_two_steps_end_the_contract_with_its_period(ada, house):
    answer = leave(ada, house)
    house.subscription.refresh_from_db()
    assert house.subscription.ends_on == date(2026, 1, 31)
    assert house.subscription.end_kind == "cancel"
    assert answer["Location"] == reverse("portal:receipt", args=[receipts(house).get().ref])


def test_looking_at_step_two_changes_nothing(ada, house):
    ada.get(f"{cancel_url(house)}?when=period_end")
    house.subscription.refresh_from_db()
    assert house.subscription.ends_on is None
    assert receipts(house).count() == 0


def test_a_reason_is_kept_and_never_needed(ada, house):
    leave(ada, house, reason="too_expensive", comment="Sorry!")
    house.subscription.refresh_from_db()
    assert (house.subscription.end_reason, house.subscription.end_comment) == ("too_expensive", "Sorry!")


def test_the_receipt_names_arrival_to_the_second_and_the_end(ada, house):
    page = ada.get(leave(ada, house)["Location"]).content.decode()
    for words in (
        "10 January 2026, 13:00:00 (Europe/Berlin)",
        house.subscription.number,
        house.customer.number,
        "Ada",
        "Last day of service: 31 January 2026",
    ):
        assert words in page


def test_the_receipt_is_mailed_in_the_same_words(ada, house):
    from core.models import Outbox

    leave(ada, house)
    message = receipts(house).get()
    assert message.recipients == ["ada@example.com", "office-ada@example.com"]
    assert "Last day of service: 31 January 2026" in message.body
    assert Outbox.objects.filter(kind="mail", payload={"message": message.pk}, state="waiting").count() == 1


def test_the_customer_did_it(ada, house):
    from core.models import AuditEntry

    leave(ada, house)
    entry = AuditEntry.objects.get(verb="subscription.cancel")
    assert (entry.actor_kind, entry.actor_id) == ("contact", house.owner.pk)


def test_a_chosen_day_is_the_last(ada, house):
    leave(ada, house, "when=date&ends_on=2026-03-15")
    house.subscription.refresh_from_db()
    assert house.subscription.ends_on == date(2026, 3, 15)


def test_a_chosen_day_shows_what_is_still_invoiced(ada, house):
    answer = ada.get(f"{cancel_url(house)}?when=date&ends_on=2026-03-15")
    # February whole: 31.00 + 19 % = 36.89. March: 15 of 31 days, 15.00 + 19 % = 17.85.
    coming = [(one.on, one.gross) for one in answer.context["coming"]]
    assert coming == [(date(2026, 2, 1), 3689), (date(2026, 3, 1), 1785)]


def test_a_day_that_is_too_early_is_refused_with_the_first_possible_one(ada, house):
    answer = ada.get(f"{cancel_url(house)}?when=date&ends_on=2026-01-15")
    assert answer.status_code == 422
    assert "31 Jan 2026" in answer.content.decode()


@pytest.mark.parametrize("choice", ["when=date", "when=date&ends_on=31.12.2026", "when=never", "when="])
def test_a_choice_that_is_none_is_asked_again(ada, house, choice):
    assert ada.get(f"{cancel_url(house)}?{choice}").status_code == 422


def test_ending_today_gives_unused_days_back_at_once(client, company):
    house = a_house(company, "bob@example.com", rules={"notice_to": "any_day"})
    client.force_login(house.owner.user)
    url = f"{cancel_url(house)}?when=now"
    [document] = client.get(url).context["documents"]
    # 21 of 31 days at 1.00 a day, plus 19 %.
    assert document["minor"] == 2499
    leave(client, house, "when=now")
    [note] = house.customer.creditnotes.all()
    assert (note.gross_minor, str(receipts(house).get().body).count("10 January 2026")) == (2499, 2)


def test_what_was_not_previewed_is_not_done(ada, house):
    url = f"{cancel_url(house)}?when=period_end"
    answer = ada.post(url, {"preview_token": "0" * 64})
    house.subscription.refresh_from_db()
    assert answer.status_code == 422
    assert house.subscription.ends_on is None
    assert receipts(house).count() == 0


def test_without_a_preview_nothing_is_done(ada, house):
    assert ada.post(f"{cancel_url(house)}?when=period_end").status_code == 422
    house.subscription.refresh_from_db()
    assert house.subscription.ends_on is None


def test_a_canceled_contract_offers_the_way_back(ada, house):
    leave(ada, house)
    page = ada.get(reverse("portal:subscription", args=[house.subscription.ref])).content.decode()
    assert reverse("portal:undo-cancel", args=[house.subscription.ref]) in page
    assert cancel_url(house) not in page
    assert receipts(house).get().ref in page


def test_taking_it_back_lets_it_go_on(ada, house):
    leave(ada, house)
    ada.post(reverse("portal:undo-cancel", args=[house.subscription.ref]))
    house.subscription.refresh_from_db()
    assert (house.subscription.ends_on, house.subscription.end_kind) == (None, "")
    from customers.models import Message

    [message] = Message.objects.filter(customer=house.customer, template="cancellation_undone")
    assert "goes on" in message.subject


def test_after_its_last_day_nothing_is_taken_back(ada, house):
    leave(ada, house)
    factories.set_clock(house.company, date(2026, 2, 1))
    ada.post(reverse("portal:undo-cancel", args=[house.subscription.ref]))
    house.subscription.refresh_from_db()
    assert house.subscription.ends_on == date(2026, 1, 31)


def test_a_plan_may_keep_the_button_away(client, company):
    house = a_house(company, "bob@example.com", customer_may_cancel=False)
    client.force_login(house.owner.user)
    assert client.get(cancel_url(house)).status_code == 302
    assert cancel_url(house) not in client.get(reverse("portal:home")).content.decode()


def test_the_receipts_words_follow_the_page(ada, house):
    house.owner.user.language = "de"
    house.owner.user.save()
    leave(ada, house)
    assert receipts(house).get().language == "de"
    assert "31. Januar 2026" in receipts(house).get().body


def test_a_reason_has_the_same_code_at_every_door():
    from portal.forms import REASONS
    from subscriptions.services.end_reasons import WORDS

    assert {code for code, _words in REASONS if code} <= set(WORDS)
