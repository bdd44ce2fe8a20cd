"""The staff pages of taxes: the table with its sources, its update, and the correction of what a late rate touches."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from django.urls import reverse

from tests.backoffice.conftest import Office
from tests.factories import BY


def test_the_table_shows_each_rows_source_and_goes_out_as_csv(office: Office) -> None:
    client = office.client()
    shown = client.get(reverse("backoffice:taxes") + "?country=ES").content.decode()
    assert "Canary Islands" in shown
    assert "Territorial status of EU countries" in shown
    rows = b"".join(client.get(reverse("backoffice:taxes") + "?country=DE&format=csv").streaming_content).decode()
    assert "DE,,standard,16.000,2020-07-01,,shipped,True,Zweites Corona-Steuerhilfegesetz" in rows.replace('"', "")


def test_the_button_adds_what_is_missing(office: Office) -> None:
    from catalog.models import TaxRate

    TaxRate.objects.filter(company=office.company, country="DE", valid_from=date(2020, 7, 1)).delete()
    said = office.client().post(reverse("backoffice:taxes-update"), follow=True).content.decode()
    assert "2 rates were added." in said
    assert TaxRate.objects.filter(company=office.company, country="DE", valid_from=date(2020, 7, 1)).count() == 2


def test_a_late_rate_is_previewed_and_corrected_in_one_batch(office: Office) -> None:
    from billing.models import CreditNote
    from billing.services import rate_corrections
    from catalog.services import taxes

    office.start()
    rate = taxes.set_rate(
        company=office.company, country="DE", level="standard", percent=Decimal(21), valid_from=date(2022, 1, 1),
        source="", by=BY, at=office.at,
    )  # fmt: skip
    assert rate_corrections.touched(office.company, rate)
    client, url = office.client(), reverse("backoffice:tax-rate", args=[rate.ref])
    assert "Correct them in one batch" in client.get(url).content.decode()
    preview = client.post(url, {"step": "preview", "reason": "Late"}).content.decode()
    assert "Correct these invoices" in preview
    assert CreditNote.objects.count() == 0
    assert client.post(url, {"step": "do", "reason": "Late"}).status_code == 200
    assert CreditNote.objects.count() == 0, "nothing is corrected that was not shown"
    token = re.search(r'name="preview_token" value="(\w+)"', preview)[1]
    taxes.correct_rate(rate=rate, percent=Decimal(22), source="", reason="A typo", by=BY, at=office.at)
    refused = client.post(url, {"step": "do", "reason": "Late", "preview_token": token})
    shown = refused.content.decode()
    assert (refused.status_code, CreditNote.objects.count()) == (422, 0)
    token = re.search(r'name="preview_token" value="(\w+)"', shown)[1]
    done = client.post(url, {"step": "do", "reason": "Late", "preview_token": token}, follow=True).content.decode()
    assert "1 invoice was corrected." in done
    assert CreditNote.objects.count() == 1
    assert rate_corrections.touched(office.company, rate) == []


def test_accounting_corrects_documents_but_not_the_table(office: Office) -> None:
    from catalog.services import taxes

    office.start()
    rate = taxes.set_rate(
        company=office.company, country="DE", level="standard", percent=Decimal(21), valid_from=date(2022, 1, 1),
        source="", by=BY, at=office.at,
    )  # fmt: skip
    client, url = office.client("accounting"), reverse("backoffice:tax-rate", args=[rate.ref])
    assert client.post(url, {"step": "figure", "percent": "8", "source": "", "reason": "x"}).status_code == 404
    assert "Correct these invoices" in client.post(url, {"step": "preview", "reason": "Late"}).content.decode()


def test_a_figure_is_corrected_with_its_reason(office: Office) -> None:
    from catalog.models import TaxRate

    url = reverse("backoffice:tax-rate", args=["DE..reduced.2021-01-01"])
    client = office.client()
    assert client.post(url, {"step": "figure", "percent": "8", "source": "", "reason": ""}).status_code == 422
    client.post(url, {"step": "figure", "percent": "8", "source": "x", "reason": "A typo"})
    row = TaxRate.objects.get(company=office.company, country="DE", level="reduced", valid_from=date(2021, 1, 1))
    assert (row.percent, row.origin) == (Decimal(8), "person")


def test_the_exchange_rates_show_the_newest_of_each_currency(office: Office) -> None:
    from billing.services import reference_rates

    reference_rates.load(b"Date,USD\n2026-01-02,1.0850\n2025-12-31,1.0840\n")
    shown = office.client().get(reverse("backoffice:exchange-rates")).content.decode()
    assert "1.085" in shown
    assert "1.084" not in shown.replace("1.0850", "")
