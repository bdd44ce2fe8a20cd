"""The mails of a year for one subscriber per country: consumers who pay 120.00 a year from 1 March 2026 on.

In Germany, France, Italy and Spain, each in their language; cards expire on 30 November 2026. Renewal is on 1 March
2027; a month's notice reaches it until 31 January. In Germany the contract goes on open-ended after its first year, as
the law there wants it, so there is no renewal to tell of.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.stories.year_of_mails import a_year, mails_of

pytestmark = pytest.mark.django_db

INVOICES = ("invoice_issued", date(2026, 3, 1)), ("invoice_issued", date(2027, 3, 1))
CARD = ("remind_card", date(2026, 10, 31)), ("remind_card", date(2026, 11, 23))
RENEWAL = ("remind_renewal", date(2027, 1, 30))


@pytest.fixture(scope="module")
def year(django_db_setup: None, django_db_blocker: Any) -> Any:
    """The same year for all; taken back when the module is done."""
    from django.db import transaction

    with django_db_blocker.unblock():
        outer = transaction.atomic()
        outer.__enter__()
        try:
            yield {country: written(subscription) for country, subscription in a_year().items()}
        finally:
            transaction.set_rollback(True)
            outer.__exit__(None, None, None)


def written(subscription: Any) -> list[tuple[str, date, str, str, str]]:
    """Template, day, language, kind and subject of every mail to the customer."""
    return [
        (row.template, row.created_at.date(), row.language, row.category, row.subject) for row in mails_of(subscription)
    ]


def calendar(mails: list[tuple[str, date, str, str, str]]) -> list[tuple[str, date]]:
    return [(template, day) for template, day, *_rest in mails]


def test_a_german_year(year: Any) -> None:
    assert calendar(year["DE"]) == [INVOICES[0], *CARD, INVOICES[1]]


def test_a_french_year(year: Any) -> None:
    notice = ("notice_fr_l215_1", date(2026, 12, 1))
    assert calendar(year["FR"]) == [INVOICES[0], *CARD, notice, RENEWAL, INVOICES[1]]


def test_an_italian_year(year: Any) -> None:
    notice = ("notice_it_65_bis", date(2027, 1, 14))
    assert calendar(year["IT"]) == [INVOICES[0], *CARD, notice, RENEWAL, INVOICES[1]]


def test_a_spanish_year(year: Any) -> None:
    # The last day to cancel, 31 January, comes before the fifteen days of the law; it goes out fifteen days ahead.
    notice = ("notice_es_10_2025", date(2027, 1, 16))
    assert calendar(year["ES"]) == [INVOICES[0], *CARD, notice, RENEWAL, INVOICES[1]]


def test_everything_is_in_the_readers_language(year: Any) -> None:
    for country, mails in year.items():
        assert {language for _template, _day, language, *_rest in mails} == {country.lower()}


def test_the_notices_are_legal_and_in_the_words_of_the_law(year: Any) -> None:
    notices = [mail for mails in year.values() for mail in mails if mail[0].startswith("notice_")]
    assert {(template, category) for template, _day, _language, category, _subject in notices} == {
        ("notice_fr_l215_1", "legal"), ("notice_it_65_bis", "legal"), ("notice_es_10_2025", "legal"),
    }  # fmt: skip
    assert [subject for *_rest, subject in notices] == [
        "Reconduction de votre contrat Tageblatt : vous pouvez la refuser jusqu'au 31 janvier 2027",
        "Rinnovo del contratto Tageblatt: può inviare disdetta entro il 31 gennaio 2027",
        "Su suscripción Tageblatt se renueva el 1 de marzo de 2027",
    ]
