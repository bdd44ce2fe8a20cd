"""The test company and what it sells: Hafenlicht Software GmbH, software for small trades, from Hamburg."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.services.companies import open_company
from catalog.models import Plan, Product, TaxCategory
from catalog.services import plans, products
from catalog.services.plans import PlanItemSpec, PriceSpec
from core.actors import Actor
from core.models import Company, Role
from core.rights import ROLES
from core.services import company as settings
from core.services import people

SLUG = "hafenlicht"
MAIL_DAYS = 14
"""Documents of the last days before the first start are mailed; older ones count as mailed long ago."""
TEAM = (
    ("admin", "Wiebke Hansen", "admin@hafenlicht.example"),
    ("accounting", "Ferdinand Groß", "accounting@hafenlicht.example"),
    ("sales", "Nilüfer Kaya", "sales@hafenlicht.example"),
    ("support", "Jonas Lindqvist", "support@hafenlicht.example"),
)
BY = Actor.system("Demo")
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 236 48" width="236" height="48">
<path d="M24 4 34 40H14Z" fill="#0b6e66"/><path d="M18.5 24h11l1.6 6H16.9Z" fill="#fff"/>
<circle cx="24" cy="7" r="5" fill="#f2b134"/>
<path d="M8 44q8-5 16 0t16 0" stroke="#0b6e66" stroke-width="3" fill="none"/>
<text x="50" y="33" fill="#12343b" font-family="Inter, sans-serif" font-size="25" font-weight="700">Hafenlicht</text>
</svg>"""


def open_test_company(first: date, today: date, at: datetime) -> Company:
    """The company with its people, its logo and its catalog, as of the first day of the story."""
    company = open_company(
        name="Hafenlicht",
        slug=SLUG,
        legal_name="Hafenlicht Software GmbH",
        country="DE",
        currency="EUR",
        language="de",
        time_zone="Europe/Berlin",
        books_start_on=first,
        is_live=False,
        clock_at=at,
        owner=None,
        address_lines=["Am Sandtorkai 99"],
        postal_code="20457",
        city="Hamburg",
        email="rechnung@hafenlicht.example",
        phone="+49 40 66969 900",
        website="https://hafenlicht.example",
        vat_id="DE136695976",
        tax_number="46/999/00001",
        register_entry="Amtsgericht Hamburg, HRB 999 001 · Geschäftsführung: Wiebke Hansen",
        iban="DE02120300000000202051",
        bic="BYLADEM1001",
        bank_name="Demo-Bank",
        accent="#0b6e66",
        invoice_footer={
            "de": "Danke, dass Sie mit Hafenlicht arbeiten.",
            "en": "Thank you for working with Hafenlicht.",
        },
        mails_start_on=today - timedelta(days=MAIL_DAYS),
        by=BY,
        at=at,
    )
    roles = {key: Role.objects.get(company=company, rights=sorted(ROLES[key][1])) for key, _name, _email in TEAM}
    for key, name, email in TEAM:
        people.add_member(company=company, email=email, name=name, role=roles[key], by=BY, at=at)
    settings.set_logo(company=company, name="hafenlicht.svg", content=LOGO.encode(), by=BY, at=at)
    _catalog(company, first, at)
    return company


def _catalog(company: Company, first: date, at: datetime) -> None:
    category = {row.code: row for row in TaxCategory.objects.filter(company=company)}
    service, work = category["standard-electronic"], category["standard-general"]
    seat = {"de": "Platz", "en": "seat", "fr": "poste", "it": "postazione", "es": "puesto"}
    team = _product(company, "team", "Hafenlicht Team", service, at, unit_name=seat)
    studio = _product(company, "studio", "Hafenlicht Studio", service, at)
    care = _product(
        company,
        "care",
        {"de": "Betreuung", "en": "Care", "fr": "Suivi", "it": "Assistenza", "es": "Asistencia"},
        work,
        at,
    )
    home = _product(company, "home", "Hafenlicht Privat", service, at)
    archive = _product(
        company,
        "archive",
        {"de": "Archiv", "en": "Archive", "fr": "Archives", "it": "Archivio", "es": "Archivo"},
        service,
        at,
    )
    _product(
        company,
        "onboarding",
        {
            "de": "Einrichtung",
            "en": "Onboarding",
            "fr": "Mise en service",
            "it": "Attivazione",
            "es": "Puesta en marcha",
        },
        work,
        at,
    )
    hotline = _product(
        company,
        "hotline",
        {
            "de": "Hotline am Wochenende",
            "en": "Weekend hotline",
            "fr": "Assistance le week-end",
            "it": "Assistenza nel fine settimana",
            "es": "Asistencia en fin de semana",
        },
        work,
        at,
        revenue_account="8410",
    )
    monthly = {"interval_unit": "month", "interval_count": 1}
    yearly = {"interval_unit": "year", "interval_count": 1}
    themselves: dict[str, Any] = {"customer_may_change": True, "customer_may_pause": True}
    _plan(company, first, at, "team", "Team", [(team, "12.00")], {**monthly, "cancel_unused": "credit"}, trial_days=14,
          **themselves)  # fmt: skip
    _plan(company, first, at, "team-yearly", "Team, jährlich", [(team, "120.00")], {**yearly, "notice_to": "any_day"},
          **themselves)  # fmt: skip
    _plan(
        company, first, at, "studio", "Studio", [(studio, "149.00"), (care, "45.00")],
        {
            "interval_unit": "month", "interval_count": 3, "minimum_count": 12, "minimum_unit": "month",
            "notice_count": 1, "notice_unit": "month", "notice_to": "term_end", "renewal_rule": "renew",
            "renewal_count": 12, "renewal_unit": "month",
        },
        arrears=("care",),
    )  # fmt: skip
    _plan(company, first, at, "calendar", "Team zum Quartal", [(team, "34.50")],
          {"interval_unit": "month", "interval_count": 3, "anchor_rule": "calendar"})  # fmt: skip
    _plan(
        company, first, at, "archive", "Archiv, 12 Monate", [(archive, "240.00")],
        {**yearly, "minimum_count": 12, "minimum_unit": "month", "renewal_rule": "expire", "notice_to": "term_end"},
    )  # fmt: skip
    private = {"tax_behavior": "inclusive"}
    _plan(company, first, at, "home", "Privat", [(home, "9.90")],
          {**monthly, "notice_count": 1, "notice_unit": "month", "notice_to": "any_day"}, price=private)  # fmt: skip
    _plan(company, first, at, "home-yearly", "Privat, jährlich", [(home, "99.00")],
          {**yearly, "notice_to": "any_day"}, price=private)  # fmt: skip
    _plan(company, first, at, "classic", "Classic", [(team, "9.00")], {"interval_unit": "month", "interval_count": 6})
    _plan(company, first, at, "hotline", "Hotline", [(hotline, "59.00")], monthly)
    _plan(company, first, at, "team-next", "Team Plus", [(team, "19.00")], monthly, status="draft")


def _product(
    company: Company, code: str, name: str | dict[str, str], category: TaxCategory, at: datetime, **more: Any
) -> Product:
    texts = dict.fromkeys(("de", "en", "fr", "it", "es"), name) if isinstance(name, str) else name
    return products.create_product(company=company, code=code, name=texts, tax_category=category, by=BY, at=at, **more)


RATES = {"EUR": Decimal(1), "CHF": Decimal("0.95"), "USD": Decimal("1.08")}


def price_in(currency: str, amount: str) -> Decimal:
    """The list price in another currency, rounded to a tenth."""
    return (Decimal(amount) * RATES[currency]).quantize(Decimal("0.1"))


def _plan(
    company: Company,
    first: date,
    at: datetime,
    code: str,
    name: str,
    items: list[tuple[Product, str]],
    rules: dict[str, Any],
    *,
    arrears: tuple[str, ...] = (),
    price: dict[str, Any] | None = None,
    status: str = "on_sale",
    **more: Any,
) -> Plan:
    specs = [
        PlanItemSpec(
            product=product,
            prices=[
                PriceSpec(
                    currency=currency,
                    unit_amount=price_in(currency, amount),
                    billed="arrears" if product.code in arrears else "advance",
                    valid_from=first,
                    **(price or {}),
                )
                for currency in RATES
            ],
        )
        for product, amount in items
    ]
    english = {"Team, jährlich": "Team, yearly", "Team zum Quartal": "Team, by quarter", "Privat": "Home",
               "Archiv, 12 Monate": "Archive, 12 months", "Privat, jährlich": "Home, yearly"}  # fmt: skip
    return plans.create_plan(
        company=company,
        code=code,
        name={"de": name, "en": english.get(name, name)},
        items=specs,
        status=status,
        rules=rules,
        by=BY,
        at=at,
        **more,
    )
