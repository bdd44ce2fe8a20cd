"""Example values for the gallery of parts: long words, many digits, both signs. Nothing here is real."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from django import forms
from django.contrib.messages import constants as message_levels
from django.contrib.messages.storage.base import Message

from core.design.charts import Series, bar_chart, line_chart
from core.design.formats import money, money_short, month
from core.design.states import LOOKS

DAY = dt.date(2026, 11, 22)
MOMENT = dt.datetime(2026, 11, 22, 14, 5, tzinfo=dt.UTC)
MONTHS = [dt.date(2025 + (11 + n) // 12, (11 + n) % 12 + 1, 1) for n in range(12)]


class SampleForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(label="Name", help_text="As it stands in the register.", max_length=40)
    plan = forms.ChoiceField(
        label="Plan", choices=[("m", "Business monthly"), ("y", "Donaudampfschifffahrtsgesellschaft Jahresvertrag")]
    )
    price = forms.DecimalField(label="Price", max_digits=12, decimal_places=2)
    starts_on = forms.DateField(
        label="Start", required=False, widget=forms.DateInput(attrs={"type": "date"}), help_text="Empty: today."
    )
    end = forms.ChoiceField(
        label="When does it end?",
        choices=[("now", "Now"), ("period", "At the end of the period"), ("date", "On a date")],
        widget=forms.RadioSelect,
    )
    note = forms.CharField(label="Note", required=False, widget=forms.Textarea(attrs={"rows": 3}))
    send = forms.BooleanField(label="Send the invoice by mail", required=False, help_text="To the billing contact.")


def _charts() -> dict[str, Any]:
    def full(value: Decimal) -> str:
        return money(int(value), "EUR")

    def short(value: Decimal) -> str:
        return money_short(int(value), "EUR")

    labels = [month(one) for one in MONTHS]
    rise = [4_120_000 + 131_000 * n + (n % 3) * 42_000 for n in range(12)]
    gained = [310_000 + (n * 37 % 11) * 21_000 for n in range(12)]
    lost = [-(110_000 + (n * 53 % 7) * 17_000) for n in range(12)]
    return {
        "bars": bar_chart(
            title="Every month of the last year won more than it lost",
            labels=labels,
            series=[
                Series("New", gained, 2),
                Series("Expansion", [v // 4 for v in gained], 1),
                Series("Churn", lost, 4),
            ],
            value=full,
            axis=short,
            urls=[f"?month={one:%Y-%m}" for one in MONTHS],
        ),
        "lines": line_chart(
            title="MRR grew by 36% in twelve months",
            labels=labels,
            series=[Series("MRR", rise, 1)],
            value=full,
            axis=short,
        ),
    }


def samples() -> dict[str, Any]:
    """The context of `gallery.html`."""
    bound = SampleForm({"name": "", "price": "abc", "plan": "m"})
    bound.is_valid()
    company = SimpleNamespace(pk=1, name="Nordlicht Telekommunikation GmbH", is_live=True, legal_name="Nordlicht")
    test = SimpleNamespace(pk=2, name="Probe", is_live=False)
    item = {"url": "#", "icon": "users", "label": "Customers", "go": "c"}
    return {
        "company": company,
        "companies": [company, test],
        "nav": [
            {"label": "", "items": [{"url": "#", "icon": "house", "label": "Home", "go": "h", "current": True}]},
            {
                "label": "Sell",
                "items": [
                    item,
                    {"url": "#", "icon": "repeat", "label": "Subscriptions", "go": "s", "count": 12841},
                    {"url": "#", "icon": "package", "label": "Catalog"},
                ],
            },
            {
                "label": "Bill",
                "items": [
                    {"url": "#", "icon": "file-text", "label": "Invoices", "go": "i"},
                    {"url": "#", "icon": "wallet", "label": "Payments", "count": 3},
                    {"url": "#", "icon": "play", "label": "Billing runs"},
                    {"url": "#", "icon": "upload", "label": "Import"},
                ],
            },
            {
                "label": "Company",
                "items": [
                    {"url": "#", "icon": "chart-no-axes-column", "label": "Reports"},
                    {"url": "#", "icon": "settings", "label": "Settings"},
                ],
            },
        ],
        "crumbs": [
            {"label": "Customers", "url": "#"},
            {"label": "Ærøskøbing Windkraft ApS", "url": "#"},
            {"label": "SUB-1042"},
        ],
        "portal_nav": [
            {"label": "Home", "url": "#", "current": True},
            {"label": "Contracts", "url": "#"},
            {"label": "Invoices", "url": "#"},
            {"label": "Zahlungsmethoden", "url": "#"},
        ],
        "states": list(LOOKS),
        "day": DAY,
        "moment": MOMENT,
        "facts": [
            {"term": "Customer", "value": "Ærøskøbing Windkraft ApS", "url": "#"},
            {"term": "Plan", "value": "Business Glasfaser 1000 mit Rufumleitungsweiterschaltung"},
            {"term": "VAT id", "value": "DK12345674"},
            {"term": "Purchase order", "value": ""},
        ],
        "rows": [
            ("INV-2026-000842", "Ærøskøbing Windkraft ApS", "overdue", DAY, 1_234_567, "EUR"),
            ("INV-2026-000841", "Σωκράτης & Υιοί Α.Ε.", "paid", DAY, 11_900, "EUR"),
            ("INV-2026-000840", "ООО Северное сияние", "draft", DAY, 4_500, "JPY"),
            (
                "CN-2026-000017",
                "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbau",
                "credited",
                DAY,
                -5_995,
                "EUR",
            ),
        ],
        "chips": [
            {"label": "Status", "op": "is", "value": "Overdue", "remove_url": "?"},
            {"label": "Due", "op": "before", "value": "22 Nov 2026", "remove_url": "?"},
        ],
        "tabs": [
            {"label": "Overview", "url": "#", "current": True},
            {"label": "Invoices", "url": "#", "count": 24},
            {"label": "Timeline", "url": "#"},
            {"label": "Zahlungsvereinbarungen", "url": "#", "count": 0},
        ],
        "timeline": [
            {
                "at": MOMENT,
                "title": "Invoice INV-2026-000842 issued",
                "who": "Billing run",
                "icon": "file-check",
                "tone": "info",
            },
            {
                "at": MOMENT,
                "title": "Payment returned by the bank",
                "who": "SEPA",
                "icon": "undo-2",
                "tone": "bad",
                "body": "AC04: account closed",
            },
            {
                "at": MOMENT,
                "title": "Note",
                "who": "Ada Lovelace",
                "icon": "sticky-note",
                "quote": True,
                "body": "Called: they moved banks,\nnew mandate comes tomorrow.",
            },
            {"on": DAY, "title": "Subscription started", "who": "Import", "icon": "circle-play", "tone": "good"},
        ],
        "todo": [
            {"label": "Failed payments", "url": "#", "count": 7, "icon": "credit-card", "tone": "bad"},
            {
                "label": "Parked subscriptions",
                "url": "#",
                "count": 2,
                "icon": "circle-parking",
                "tone": "warn",
                "note": "since Tuesday",
            },
            {"label": "Drafts to approve", "url": "#", "count": 14, "icon": "file-pen"},
        ],
        "preview_rows": [
            {"label": "Plan", "before": "Basic 100", "after": "Business 1000", "changed": True},
            {"label": "Seats", "before": "5", "after": "5"},
            {"label": "Price per month", "before": "€49.00", "after": "€119.00", "changed": True},
        ],
        "mails": ["Invoice to buchhaltung@nordlicht.example", "Confirmation to ada@nordlicht.example"],
        "clock": [
            {"text": "Runs until 31 Dec 2026, then renews for 12 months.", "icon": "repeat"},
            {"text": "Can be canceled until 30 Sep 2026 for that day.", "icon": "calendar-clock"},
        ],
        "steps": [
            {"label": "File", "done": True},
            {"label": "Columns", "done": True},
            {"label": "Check", "current": True},
            {"label": "Import"},
        ],
        "form": SampleForm(),
        "bound": bound,
        "messages": [
            Message(message_levels.SUCCESS, "Invoice INV-2026-000842 was sent."),
            Message(message_levels.WARNING, "Two rows were skipped: no price in CHF."),
            Message(message_levels.ERROR, "The bank returned the debit."),
            Message(message_levels.INFO, "The run goes on in the background."),
        ],
        **_charts(),
    }
