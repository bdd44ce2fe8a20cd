"""Names of accounts: the product's own in the reader's language, a company's as it wrote them."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.translation import override

from billing.models import Account
from billing.services import books, charts
from tests.factories import BY, a_company, at_noon
from tests.factories import TODAY as ON

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Any:
    company = a_company()
    books.ensure_accounts(company)
    return company


def account(company: Any, role: str = "revenue") -> Account:
    return Account.objects.get(company=company, role=role)


def test_a_usual_account_is_named_in_the_readers_language(company: Any) -> None:
    assert str(account(company)) == "8400 Revenue"
    with override("de"):
        assert str(account(company)) == "8400 Umsatzerlöse"


def test_an_account_that_a_product_names_by_its_number_is_called_after_its_use(company: Any) -> None:
    books.revenue_accounts(company, books.account_ids(company), ["8410"])
    with override("de"):
        assert str(Account.objects.get(company=company, code="8410")) == "8410 Umsatzerlöse"


def test_a_name_of_the_companys_own_stays_as_it_is(company: Any) -> None:
    charts.rename(account=account(company), code="8400", name="Erlöse 19 %", by=BY, at=at_noon(ON))
    with override("it"):
        assert str(account(company)) == "8400 Erlöse 19 %"


def test_another_number_alone_leaves_the_name_to_the_reader(company: Any) -> None:
    with override("de"):
        charts.rename(account=account(company), code="8300", name="Umsatzerlöse", by=BY, at=at_noon(ON))
    assert str(account(company)) == "8300 Revenue"
