"""Opening a company: all it needs to sell is there at once."""

from __future__ import annotations

from datetime import date

import pytest

from tests.factories import BY, TODAY, a_company, at_noon

pytestmark = pytest.mark.django_db


def test_a_new_company_has_roles_taxes_accounts_and_a_chain():
    from billing.models import Account, ChainHead
    from catalog.models import TaxCategory, TaxRate
    from core.models import Role

    company = a_company()
    assert Role.objects.filter(company=company).count() == 5
    assert TaxCategory.objects.filter(company=company, code="standard-electronic").exists()
    assert TaxRate.objects.filter(company=company, country="DE", level="standard", percent=19).exists()
    roles = sorted(Account.objects.filter(company=company).values_list("role", flat=True))
    assert roles == [
        "cash", "claim", "customer_credit", "exchange", "fee", "prepaid", "receivable", "revenue", "tax", "transit",
        "unallocated", "write_off",
    ]  # fmt: skip
    assert ChainHead.objects.get(company=company).height == 0


def test_the_owner_may_do_everything_there_and_nothing_elsewhere():
    from core.models import User
    from core.rights import RIGHTS, rights_of

    owner = User.objects.create_user("ada@example.com")
    company, other = a_company(owner=owner), a_company()
    assert rights_of(owner, company) == frozenset(RIGHTS)
    assert rights_of(owner, other) == frozenset()


def test_a_taken_address_name_is_refused():
    from core.refusal import Refused

    company = a_company()
    with pytest.raises(Refused) as raised:
        a_company(slug=company.slug)
    assert (raised.value.code, raised.value.field) == ("company.slug_taken", "slug")


def test_a_live_company_has_no_clock_of_its_own():
    from core.refusal import Refused

    with pytest.raises(Refused) as raised:
        a_company(is_live=True)
    assert raised.value.code == "company.clock_is_real"


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"country": "ZZ"}, "country"), ({"currency": "XXX"}, "currency"), ({"time_zone": "Mars"}, "time_zone"),
     ({"language": "xx"}, "language"), ({"slug": "two words"}, "slug"), ({"name": " "}, "name"),
     ({"colour": "red"}, "colour"), ({"email": "nobody"}, "email")],
)  # fmt: skip
def test_what_no_company_can_have_is_refused(changes, field):
    from core.models import Company
    from core.refusal import Refused

    with pytest.raises(Refused) as raised:
        a_company(**changes)
    assert raised.value.field == field
    assert not Company.objects.exists()


def test_opening_is_audited():
    from billing.services.companies import open_company
    from core.models import AuditEntry

    company = open_company(
        name="A", slug="a", legal_name="A Ltd", country="GB", currency="GBP", language="en",
        time_zone="Europe/London", books_start_on=date(2026, 1, 1), owner=None, by=BY, at=at_noon(TODAY),
    )  # fmt: skip
    entry = AuditEntry.objects.get(company=company, verb="company.open")
    assert entry.facts == {"slug": "a", "live": True, "country": "GB", "currency": "GBP"}
