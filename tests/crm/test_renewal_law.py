"""Notices of renewals by law: when they go out, what they say, what follows when they were missed.

Consumers pay 120.00 a year from 1 March 2026 on; the term renews on 1 March 2027 unless they cancel a month before,
by 31 January 2027. France: from three months to one month before that day, sent two months before. Italy: thirty days
before 28 February at the latest, and no later than the last day to cancel. Spain: fifteen days before the charge.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.crm.reminding import RENEWAL, START, YEARLY, a_house, a_subscriber, mails, move
from tests.factories import BY, a_plan, at_noon, set_clock

pytestmark = pytest.mark.django_db
NO_NOTICE = YEARLY | {"notice_count": 0}


@pytest.fixture
def company():
    return a_house()


def a_consumer(company: Any, country: str, rules: dict[str, Any] = YEARLY, **customer: Any) -> Any:
    given = {"kind": "person", "country": country, "language": country.lower(), "name": "Ada"} | customer
    return a_subscriber(company, plan=a_plan(company, amount="120.00", rules=rules, name={"en": "Daily"}), **given)


def ask(company: Any, day: date) -> dict[str, int]:
    from crm.services import renewal_law

    set_clock(company, day)
    return renewal_law.keep_law(company=company, at=at_noon(day))


def the_notice() -> Any:
    from subscriptions.models import RenewalNotice

    return RenewalNotice.objects.select_related("message").get()


def first_day(company: Any, days: list[date]) -> date:
    return next(day for day in days if ask(company, day)["sent"])


def test_france_is_told_two_months_before_the_last_day_to_refuse(company):
    a_consumer(company, "FR")
    assert ask(company, date(2026, 11, 30)) == {"sent": 0, "missed": 0}
    assert ask(company, date(2026, 12, 1)) == {"sent": 1, "missed": 0}
    notice = the_notice()
    assert (notice.due_from_on, notice.due_until_on) == (date(2026, 10, 31), date(2026, 12, 31))
    assert (notice.cancel_by_on, notice.term_ends_on) == (date(2027, 1, 31), date(2027, 2, 28))


def test_the_french_words_box_the_deadline(company):
    a_consumer(company, "FR")
    ask(company, date(2026, 12, 1))
    message = the_notice().message
    assert message.subject == "Reconduction de votre contrat Daily : vous pouvez la refuser jusqu'au 31 janvier 2027"
    assert "┌──" in message.body
    assert "DATE LIMITE POUR REFUSER LA RECONDUCTION\xa0:\n  31 janvier 2027\n└──" in message.body
    assert "au prix de 120,00\xa0€ par an (nets, la taxe s’ajoute)" in message.body
    assert "article L215-1" in message.body
    assert (message.category, message.language) == ("legal", "fr")


def test_a_german_reader_in_france_gets_both_languages(company):
    a_consumer(company, "FR", language="de")
    ask(company, date(2026, 12, 1))
    message = the_notice().message
    assert message.subject.startswith("Verlängerung Ihres Vertrags Daily")
    assert message.body.index("LETZTER TAG") < message.body.index("DATE LIMITE")


def test_italy_is_told_in_time_to_cancel(company):
    a_consumer(company, "IT")
    # Thirty days before 28 February is 29 January, before the last day to cancel; it goes out fifteen days ahead.
    assert ask(company, date(2027, 1, 13)) == {"sent": 0, "missed": 0}
    assert ask(company, date(2027, 1, 14)) == {"sent": 1, "missed": 0}
    notice = the_notice()
    assert notice.due_until_on == date(2027, 1, 29)
    assert "Può inviare formale disdetta entro il 31 gennaio 2027." in notice.message.body


def test_spain_is_told_before_the_charge_and_before_the_deadline(company):
    a_consumer(company, "ES", NO_NOTICE)
    # Fifteen days before 1 March is 14 February; it goes out fifteen days ahead.
    assert ask(company, date(2027, 1, 29)) == {"sent": 0, "missed": 0}
    assert ask(company, date(2027, 1, 30)) == {"sent": 1, "missed": 0}
    assert the_notice().due_until_on == date(2027, 2, 14)


def test_germany_asks_for_no_notice(company):
    a_consumer(company, "DE")
    assert ask(company, date(2027, 1, 31)) == {"sent": 0, "missed": 0}
    assert mails(company) == []


def test_businesses_are_not_told(company):
    a_consumer(company, "FR", kind="company")
    assert ask(company, date(2026, 12, 15)) == {"sent": 0, "missed": 0}


def test_an_open_ended_contract_has_no_renewal_to_tell(company):
    a_consumer(company, "FR", YEARLY | {"renewal_rule": "evergreen"})
    assert ask(company, date(2026, 12, 15)) == {"sent": 0, "missed": 0}


def test_who_canceled_is_not_told(company):
    from billing.services import acts

    subscription = a_consumer(company, "FR")
    acts.cancel(subscription=subscription, timing="period_end", by=BY, at=at_noon(START), on=START)
    assert ask(company, date(2026, 12, 15)) == {"sent": 0, "missed": 0}


def test_a_notice_goes_out_once(company):
    a_consumer(company, "FR")
    assert [ask(company, date(2026, 12, day))["sent"] for day in (1, 1, 2, 31)] == [1, 0, 0, 0]


def test_the_proof_is_kept(company):
    import hashlib

    a_consumer(company, "FR", email="ada@example.com")
    ask(company, date(2026, 12, 1))
    notice = the_notice()
    words = f"{notice.message.subject}\n{notice.message.body}"
    assert notice.body_hash == hashlib.sha256(words.encode()).hexdigest()
    assert (notice.sent_at, notice.message.recipients) == (at_noon(date(2026, 12, 1)), ["ada@example.com"])


def test_a_notice_has_no_room_for_an_offer():
    from subscriptions.models import RenewalNotice

    assert "offer" not in {field.name for field in RenewalNotice._meta.get_fields()}


def test_a_missed_french_notice_frees_from_the_renewal_on(company):
    subscription = a_consumer(company, "FR")
    assert ask(company, date(2027, 1, 1)) == {"sent": 0, "missed": 1}
    subscription.refresh_from_db()
    assert (subscription.leaves_freely_from_on, subscription.leaves_freely_until_on) == (RENEWAL, None)
    assert the_notice().refund_days == 30


def test_a_missed_italian_notice_frees_until_the_next_end(company):
    subscription = a_consumer(company, "IT")
    assert ask(company, date(2027, 1, 30)) == {"sent": 0, "missed": 1}
    subscription.refresh_from_db()
    assert (subscription.leaves_freely_from_on, subscription.leaves_freely_until_on) == (RENEWAL, date(2028, 2, 29))


def test_a_right_that_holds_goes_on_when_the_next_notice_is_missed_too(company):
    subscription = a_consumer(company, "IT")
    ask(company, date(2027, 1, 30))
    move(company, RENEWAL)
    assert ask(company, date(2028, 1, 31)) == {"sent": 0, "missed": 1}
    subscription.refresh_from_db()
    assert (subscription.leaves_freely_from_on, subscription.leaves_freely_until_on) == (RENEWAL, date(2029, 2, 28))


def test_before_the_renewal_the_contract_still_binds(company):
    from subscriptions.services import terms

    subscription = a_consumer(company, "FR")
    ask(company, date(2027, 1, 1))
    subscription.refresh_from_db()
    assert terms.contract_clock_of(subscription, on=date(2027, 2, 10)).earliest_end == date(2028, 2, 29)


def test_after_it_any_day_can_be_the_last(company):
    from subscriptions.services import terms

    subscription = a_consumer(company, "FR")
    ask(company, date(2027, 1, 1))
    move(company, RENEWAL)
    subscription.refresh_from_db()
    clock = terms.contract_clock_of(subscription, on=date(2027, 4, 10))
    assert (clock.earliest_end, clock.reasons) == (date(2027, 4, 10), ("notice_missed", "renews"))
    assert "It can end on any day: the notice that the law asks for was not sent in time." in terms.in_words(
        clock, "en"
    )


def test_the_customer_leaves_at_once_and_gets_the_rest_back(company):
    from billing.models import CreditNote
    from billing.services import acts
    from tests.billing.test_settling import bill

    subscription = a_consumer(company, "FR")
    ask(company, date(2027, 1, 1))
    set_clock(company, RENEWAL)
    bill(company, RENEWAL)
    day = date(2027, 3, 31)
    set_clock(company, day)
    ended = acts.cancel(subscription=subscription, timing="now", by=BY, at=at_noon(day), on=day).subscription
    assert (ended.ends_on, ended.end_unused) == (day, "refund")
    note = CreditNote.objects.filter(company=company).latest("pk")
    # 31 of the 366 days from 1 March 2027 to 29 February 2028 are served; 335 go back: 120.00 x 335 / 366.
    assert note.net_minor == 10984


def test_who_was_told_in_time_stays_bound(company):
    from billing.services import acts
    from core.refusal import Refused

    subscription = a_consumer(company, "FR")
    ask(company, date(2026, 12, 1))
    ask(company, date(2027, 1, 5))
    move(company, RENEWAL)
    with pytest.raises(Refused) as caught:
        acts.cancel(subscription=subscription, timing="date", ends_on=date(2027, 4, 10), by=BY,
                    at=at_noon(date(2027, 4, 1)), on=date(2027, 4, 1))  # fmt: skip
    assert caught.value.code == "subscription.end_too_early"


def test_a_mail_that_no_server_took_counts_as_missed(company):
    from customers.models import Message

    subscription = a_consumer(company, "FR")
    ask(company, date(2026, 12, 1))
    Message.objects.filter(company=company).update(state="failed")
    assert ask(company, date(2026, 12, 31)) == {"sent": 0, "missed": 0}
    assert ask(company, date(2027, 1, 1)) == {"sent": 0, "missed": 1}
    subscription.refresh_from_db()
    assert subscription.leaves_freely_from_on == RENEWAL


def test_a_notice_that_came_back_is_told_as_not_proven_while_there_is_time(company):
    from crm.models import Alert
    from crm.services import alerting
    from customers.models import Message

    a_consumer(company, "FR")
    ask(company, date(2026, 12, 1))

    def told() -> list[tuple[str, str]]:
        alerting.look(company=company, at=at_noon(date(2026, 12, 2)))
        return list(Alert.objects.filter(kind="notice_unproven").values_list("state", "facts__until_on"))

    assert told() == []
    Message.objects.update(state="bounced", results={"ada@example.com": {"state": "bounced"}})
    assert told() == [("open", "2026-12-31")]
    Message.objects.update(results={"ada@example.com": {"state": "bounced"}, "bob@example.com": {"state": "delivered"}})
    assert [state for state, _until in told()] != ["open"]


def test_one_address_that_took_it_is_proof_enough(company):
    from customers.models import Message

    subscription = a_consumer(company, "FR")
    ask(company, date(2026, 12, 1))
    Message.objects.update(
        state="bounced", results={"a@example.com": {"state": "bounced"}, "b@example.com": {"state": "sent"}}
    )
    assert ask(company, date(2027, 1, 1)) == {"sent": 0, "missed": 0}
    Message.objects.update(results={"a@example.com": {"state": "bounced"}, "b@example.com": {"state": "bounced"}})
    assert ask(company, date(2027, 1, 1)) == {"sent": 0, "missed": 1}
    subscription.refresh_from_db()
    assert subscription.leaves_freely_from_on == RENEWAL


def test_a_notice_sent_again_that_arrived_is_proof(company):
    from customers.models import Message
    from customers.services import messages

    a_consumer(company, "FR")
    ask(company, date(2026, 12, 1))
    first = Message.objects.get()
    again = messages.resend(message=first, by=BY, at=at_noon(date(2026, 12, 2)))
    Message.objects.filter(pk=first.pk).update(state="bounced", results={"a@example.com": {"state": "bounced"}})
    Message.objects.filter(pk=again.pk).update(state="sent", results={"a@example.com": {"state": "sent"}})
    assert ask(company, date(2027, 1, 1)) == {"sent": 0, "missed": 0}


def test_a_customer_without_an_address_is_missed(company):
    a_consumer(company, "FR", email="")
    assert ask(company, date(2026, 12, 15)) == {"sent": 0, "missed": 0}
    assert ask(company, date(2027, 1, 1)) == {"sent": 0, "missed": 1}


def test_a_contract_concluded_after_the_last_day_owes_no_notice(company):
    set_clock(company, date(2027, 2, 1))
    a_subscriber(
        company, kind="person", country="FR", on=date(2027, 2, 1),
        plan=a_plan(company, rules=YEARLY | {"minimum_count": 1, "renewal_count": 12}),
    )  # fmt: skip
    assert ask(company, date(2027, 2, 2)) == {"sent": 0, "missed": 0}


def test_machines_that_slept_over_a_renewal_see_it_was_missed(company):
    subscription = a_consumer(company, "FR")
    ran(company, date(2026, 11, 1))
    move(company, date(2027, 3, 5))
    assert ask(company, date(2027, 3, 5)) == {"sent": 0, "missed": 1}
    subscription.refresh_from_db()
    assert subscription.leaves_freely_from_on == RENEWAL


def test_a_run_that_failed_after_a_long_sleep_hides_no_missed_renewal(company, monkeypatch):
    from core.services import ticks
    from crm.services import renewal_law

    subscription = a_consumer(company, "FR")
    ran(company, date(2026, 11, 1))
    day = date(2027, 3, 5)
    move(company, day)
    set_clock(company, day)

    def breaks(*_args: Any) -> Any:
        raise OSError("the connection is gone")

    with monkeypatch.context() as patched:
        patched.setattr(renewal_law, "_find", breaks)
        with pytest.raises(OSError, match="gone"):
            ticks.run_tick(name="crm.renewal_law", company=company, at=at_noon(day))
    outcome = ticks.run_tick(name="crm.renewal_law", company=company, at=at_noon(day))
    assert outcome == {"sent": 0, "missed": 1}
    subscription.refresh_from_db()
    assert subscription.leaves_freely_from_on == RENEWAL


def ran(company: Any, day: date) -> None:
    """The tick ended well on that day, and has not been asked since."""
    from core.models import TickRun

    at = at_noon(day)
    TickRun.objects.create(
        company=company, name="crm.renewal_law", ran_at=at, well_at=at, ended_at=at, milliseconds=1
    )  # fmt: skip


def test_sending_and_missing_are_audited_and_told(company):
    from core.models import AuditEntry, Event

    a_consumer(company, "FR")
    ask(company, date(2026, 12, 1))
    a_consumer(company, "FR", name="Bea")
    ask(company, date(2027, 1, 1))
    what = ["subscription.renewal_notice_sent", "subscription.renewal_notice_missed"]
    assert list(Event.objects.filter(type__in=what).order_by("pk").values_list("type", flat=True)) == what
    assert AuditEntry.objects.filter(verb__in=what).count() == 2


def test_every_law_has_its_source_and_words_in_five_languages():
    from crm.services.law_table import laws, wording
    from customers.services import mail_texts

    for law in laws():
        assert law.source_url.startswith("https://")
        if law.needs_notice:
            words = wording()[law.code]
            assert set(mail_texts.LANGUAGES) == set(words) - {"language"}
            assert words["language"] == law.country.lower()


def test_the_table_asks_to_be_checked_after_a_year():
    from crm.services.law_table import law_of

    law = law_of("FR-L215-1")
    assert law is not None
    assert not law.is_stale(date(2027, 11, 22))
    assert law.is_stale(date(2027, 11, 23))
