"""The table of rates and VAT checks over the API, and the correction of documents a late rate touches."""

from __future__ import annotations

from datetime import date

import pytest

from billing.models import CreditNote, Invoice
from tests.factories import TODAY, a_customer, a_plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def late(api, company):
    """An invoice of 100.00 at 19 percent, and a rate of 21 entered after it."""
    from billing.services import acts
    from tests.factories import BY, at_noon

    acts.start(
        company=company, customer=a_customer(company), plan=a_plan(company, amount="100.00"), start_on=TODAY, on=TODAY,
        by=BY, at=at_noon(TODAY),
    )  # fmt: skip
    body = {"country": "DE", "level": "standard", "percent": "21", "valid_from": "2026-01-15", "source": "BGBl."}
    return api.post("tax-rates", body).body["id"]


def test_a_rate_says_where_it_comes_from(api, company):
    row = api.get("tax-rates/ES.CN.standard.1970-01-01").body
    assert (row["percent"], row["tax_category"], row["origin"], row["is_checked"]) == ("0", "O", "shipped", True)


def test_the_table_is_brought_up_to_date(api, company):
    from catalog.models import TaxRate

    TaxRate.objects.filter(company=company, country="DE", valid_from=date(2020, 7, 1)).delete()
    assert api.post("tax-rates/update", {}).body == {"added": 2}
    assert api.post("tax-rates/update", {}).body == {"added": 0}


def test_a_wrong_figure_is_corrected_with_a_reason(api, company):
    path = "tax-rates/DE..standard.2021-01-01/correct"
    assert api.post(path, {"percent": "18", "reason": "A typo"}).body["percent"] == "18"
    assert api.post(path, {"percent": "17"}).status_code == 422


def test_the_lines_a_late_rate_touches(api, late):
    [row] = api.get(f"tax-rates/{late}/touched-lines").body["data"]
    assert (row["amount"], row["issued_percent"], row["percents"]) == ("100.00", "19", ["21"])


def test_a_correction_does_what_its_preview_showed(api, late):
    path, body = f"tax-rates/{late}/correct-documents", {"reason": "Late"}
    preview = api.post(f"{path}/preview", {**body, "preview_token": "of an earlier one"}).body
    [shown] = preview["data"]
    assert (Invoice.objects.count(), CreditNote.objects.count()) == (1, 0)
    differs = api.post(path, {**body, "preview_token": "0" * 64})
    assert (differs.status_code, differs.body["code"]) == (409, "preview.differs")
    assert (Invoice.objects.count(), CreditNote.objects.count()) == (1, 0)
    [done] = api.post(path, {**body, "preview_token": preview["preview_token"]}).body["data"]
    assert [(row["credited"], row["billed"]) for row in (shown, done)] == [("119.00", "121.00")] * 2
    assert api.get(f"tax-rates/{late}/touched-lines").body["data"] == []
    refused = api.post(path, body)
    assert (refused.status_code, refused.body["code"]) == (409, "rate_correction.nothing")


def test_an_unknown_rate_is_not_found(api, company):
    assert api.get("tax-rates/DE..standard.1901-01-01").status_code == 404
    assert api.post("tax-rates/nonsense/correct", {"percent": "1", "reason": "x"}).status_code == 404


def test_a_vat_id_is_checked_on_demand_and_the_proof_listed(api, company, settings):
    from customers.services import vat_ids
    from customers.services.vies import Answer
    from tests.factories import at_noon

    customer = a_customer(company, country="FR", vat_id="FR40303265045")
    path = f"customers/{customer.ref}"
    assert api.post(f"{path}/check-vat-id", {}).body["code"] == "vat_check.no_service"
    settings.TEST_VIES_URL = "http://127.0.0.1:1"
    assert api.post(f"{path}/check-vat-id", {}).status_code == 202
    vat_ids.keep(
        customer=customer, vat_id=customer.vat_id, answer=Answer(True, "DURAND", "", "WAPI1"), at=at_noon(TODAY)
    )
    assert api.get(path).body["vat_state"] == "valid"
    [row] = api.get(f"{path}/vat-checks").body["data"]
    assert (row["answer"], row["name"], row["proof"]) == ("valid", "DURAND", "WAPI1")
