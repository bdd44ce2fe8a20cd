"""Receipts are mail texts: a company puts its own words in place of the product's."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from customers.models import Message
from customers.services import mail_texts
from portal import receipts
from tests.factories import BY
from tests.portal.test_leaving import leave

pytestmark = pytest.mark.django_db


def test_a_receipt_is_in_the_words_of_the_company(ada: Client, house: Any, company: Any) -> None:
    for language in mail_texts.LANGUAGES:
        mail_texts.save(
            company=company, name=receipts.CANCELED, language=language, subject="Bye {contact}",
            body="{moment}\n{number}\n\nLast: {last_day}\n\n{address}", by=BY, at=company.clock_at,
        )  # fmt: skip
    leave(ada, house)
    message = Message.objects.get(template=receipts.CANCELED)
    assert (message.subject, message.category) == ("Bye Ada", "legal")
    assert message.body.startswith(
        f"10 January 2026, 13:00:00 (Europe/Berlin)\n{house.subscription.number}\n\nLast: 31 January 2026\n\n"
    )
    assert company.legal_name in message.body


@pytest.mark.parametrize("language", mail_texts.LANGUAGES)
@pytest.mark.parametrize("name", [
    receipts.CANCELED, receipts.CANCEL_UNDONE, receipts.CHANGED, receipts.CHANGE_UNDONE, receipts.DECLARED,
])  # fmt: skip
def test_the_products_words_name_all_that_a_receipt_knows(name: str, language: str) -> None:
    text = mail_texts.default_text(name, language)
    for placeholder in mail_texts.kind_of(name).placeholders:
        assert f"{{{placeholder}}}" in text.subject + text.body
    first = text.body.splitlines()[0]
    assert language == "en" or first != mail_texts.default_text(name, "en").body.splitlines()[0]
