"""The scenes: single customers in whom every state and every mishap can be seen. Days count back from the story's end.

A scene finds what an earlier one made by its external id (`CAST-…`); it calls verbs, as people at a desk would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import override

from billing.models import Invoice
from billing.services import acts, crediting, drafting, payments, voiding
from catalog.models import Plan, PlanItem, Product
from catalog.services import plans, products
from catalog.services.plans import PriceSpec
from core.actors import Actor
from core.models import Company, User
from customers.models import Customer
from customers.services import customers, notes
from demo.company import BY, RATES, price_in
from portal import cancelling
from portal.access import Visitor
from subscriptions.models import Subscription
from subscriptions.services.agreeing import ItemSpec

PORTAL_EMAIL = "kundin@werft-petersen.example"
REFUSED_EMAIL = "buchhaltung@refused.example"
EXEMPTION = "Steuerfrei nach § 4 Nr. 21 UStG (Bildungseinrichtung)"


@dataclass(frozen=True)
class Stage:
    """Where a scene plays: the company, the day, the instant."""

    company: Company
    day: date
    at: datetime

    @property
    def now(self) -> dict[str, Any]:
        return {"by": BY, "at": self.at}

    def staff(self, name: str) -> Actor:
        return Actor.of_user(User.objects.get(email=f"{name}@hafenlicht.example"))

    def customer(self, key: str) -> Customer:
        return Customer.objects.select_related("company").get(company=self.company, external_id=f"CAST-{key}")

    def subscription(self, key: str) -> Subscription:
        rows = Subscription.objects.select_related("company", "customer__company", "plan")
        return rows.get(company=self.company, external_id=f"CAST-{key}")

    def invoices(self, key: str) -> list[Invoice]:
        """The customer's issued invoices, oldest first."""
        rows = Invoice.objects.filter(company=self.company, customer=self.customer(key)).exclude(number="")
        return list(rows.select_related("balance", "customer__company", "company").order_by("pk"))

    def open_invoice(self, key: str) -> Invoice:
        """Its oldest open one."""
        return next(one for one in self.invoices(key) if one.balance.status == "open")

    def enter(self, key: str, name: str, **fields: Any) -> Customer:
        """A customer comes on stage."""
        address = {"lines": ["Hafenstraße 7"], "postal_code": "20457", "city": "Hamburg", "country": "DE"}
        values: dict[str, Any] = {
            "email": f"{key}@cast.example",
            "language": "de",
            "external_id": f"CAST-{key}",
            "address": address,
            "metadata": {"pays": "prompt"},
        }
        return customers.create_customer(company=self.company, name=name, **(values | fields), **self.now)

    def start(self, key: str, plan: str, customer: Customer, *, seats: int | None = None, **more: Any) -> Subscription:
        """It takes a plan, from today unless said otherwise."""
        template = Plan.objects.get(company=self.company, code=plan)
        if seats is not None:
            items = template.items.select_related("product")
            more["items"] = [ItemSpec(product=item.product, quantity=Decimal(seats)) for item in items]
        values: dict[str, Any] = {"start_on": self.day, "external_id": f"CAST-{key}"}
        return acts.start(
            company=self.company, customer=customer, plan=template, on=self.day, **(values | more), **self.now
        ).subscription

    def pay(self, key: str, minor: int, **more: Any) -> None:
        """Money from it comes in."""
        values: dict[str, Any] = {"currency": "EUR", "method": "transfer", "received_on": self.day}
        payments.record(
            company=self.company, customer=self.customer(key), amount_minor=minor, **(values | more), **self.now
        )


Scene = Callable[[Stage], None]
_scenes: list[tuple[int, Scene]] = []


def scene(days_before: int) -> Callable[[Scene], Scene]:
    """Registers a scene that plays so many days before the last one."""

    def register(function: Scene) -> Scene:
        _scenes.append((days_before, function))
        return function

    return register


def by_day(last: date) -> dict[date, list[Scene]]:
    """The scenes by their day, in the order they were written."""
    days: dict[date, list[Scene]] = {}
    for days_before, function in _scenes:
        days.setdefault(last - timedelta(days=days_before), []).append(function)
    return days


# The catalog moves on


@scene(545)
def classic_goes_off_sale(stage: Stage) -> None:
    plans.retire_plan(plan=Plan.objects.get(company=stage.company, code="classic"), **stage.now)


@scene(330)
def team_costs_more_for_new_customers(stage: Stage) -> None:
    for code, amount in (("team", "13.50"), ("team-yearly", "135.00")):
        [item] = PlanItem.objects.filter(plan__company=stage.company, plan__code=code)
        for currency in RATES:
            spec = PriceSpec(currency=currency, unit_amount=price_in(currency, amount), valid_from=stage.day)
            plans.add_price_version(item=item, spec=spec, **stage.now)


# The portal's customer: several contracts, one being left, an open invoice, credit, colleagues


@scene(400)
def a_shipyard_becomes_a_customer(stage: Stage) -> None:
    yard = stage.enter(
        "yard",
        "Werft Petersen & Söhne KG",
        email=PORTAL_EMAIL,
        vat_id="DE999999995",
        vat_state="valid",
        metadata={"pays": "late"},
        po_reference="Einkauf 4711",
        contacts=[{"name": "Marlene Petersen", "email": PORTAL_EMAIL, "role": "owner"}],
    )
    stage.start("yard-studio", "studio", yard)
    stage.start("yard-team", "team", yard, seats=6)
    notes.add_note(
        customer=yard, text="Frau Petersen ruft lieber an als zu schreiben.", by=stage.staff("support"), at=stage.at
    )


@scene(120)
def the_shipyard_archives(stage: Stage) -> None:
    stage.start("yard-calendar", "calendar", stage.customer("yard"), seats=4)
    stage.start("yard-archive", "team-yearly", stage.customer("yard"), seats=2)


@scene(21)
def the_shipyard_has_credit(stage: Stage) -> None:
    invoice = stage.invoices("yard")[-1]
    crediting.credit_invoice(
        invoice=invoice, gross_minor=1500, reason="Kulanz: zwei Tage Störung", by=stage.staff("support"), at=stage.at
    )


@scene(13)
def the_shipyard_is_invited(stage: Stage) -> None:
    yard = stage.customer("yard")
    owner = yard.contacts.get(email=PORTAL_EMAIL)
    customers.invite_to_portal(contact=owner, by=stage.staff("sales"), at=stage.at)
    for name, email, role in (
        ("Björn Hönig", "buchhaltung@werft-petersen.example", "billing"),
        ("Zoë Claßen", "werkstatt@werft-petersen.example", "viewer"),
    ):
        contact = customers.add_contact(
            customer=yard, name=name, email=email, role=role, gets_invoices=role == "billing", **stage.now
        )
        customers.invite_to_portal(contact=contact, **stage.now)


@scene(5)
def the_shipyard_cancels_in_the_portal(stage: Stage) -> None:
    contact = stage.customer("yard").contacts.select_related("customer__company").get(email=PORTAL_EMAIL)
    visitor = Visitor(contact)
    subscription = stage.subscription("yard-calendar")
    choice = cancelling.choices(subscription, stage.day)[0]
    token = cancelling.preview(visitor, subscription, choice).token
    comment = "Wir nehmen nur noch Studio."
    with override(customers.language_of(visitor.customer)):
        cancelling.cancel(visitor, subscription, choice, reason="not_used", comment=comment, token=token)


# States


@scene(3)
def one_starts_later(stage: Stage) -> None:
    stage.start("later", "team", stage.enter("later", "Gärtnerei Übermorgen e. K."), seats=3,
                start_on=stage.day + timedelta(days=20))  # fmt: skip


@scene(6)
def one_tries(stage: Stage) -> None:
    stage.start("trial", "team", stage.enter("trial", "Probierstube Schröder GmbH"), seats=2)


@scene(4)
def one_will_end(stage: Stage) -> None:
    subscription = stage.start("ends", "home", stage.enter("ends", "Käthe Brüggemann", kind="person"))
    acts.cancel(
        subscription=subscription, timing="period_end", reason="too_expensive", on=stage.day,
        by=stage.staff("support"), at=stage.at,
    )  # fmt: skip


@scene(420)
def some_begin_who_will_end(stage: Stage) -> None:
    for key, name in (
        ("credit", "Zimmerei Kröger GmbH"),
        ("refund", "Glaserei Lütjens OHG"),
        ("none", "Metallbau Jansen AG"),
    ):
        stage.start(f"end-{key}", "team-yearly", stage.enter(f"end-{key}", name), seats=5)
    stage.start("expired", "archive", stage.enter("expired", "Archiv am Markt UG (haftungsbeschränkt)"))


@scene(40)
def three_end_today(stage: Stage) -> None:
    for key in ("credit", "refund", "none"):
        acts.cancel(
            subscription=stage.subscription(f"end-{key}"), timing="now", unused=key, reason="switching", on=stage.day,
            by=stage.staff("support"), at=stage.at,
        )  # fmt: skip


@scene(30)
def credit_is_to_be_paid_out(stage: Stage) -> None:
    customer = stage.customer("end-credit")
    credit = payments.balance_of(customer)["EUR"].credit_minor
    payments.refund_credit(
        customer=customer, currency="EUR", amount_minor=credit // 2, reason="Auf Wunsch ausgezahlt",
        by=stage.staff("accounting"), at=stage.at,
    )  # fmt: skip


# What can't be billed


@scene(65)
def one_takes_the_hotline(stage: Stage) -> None:
    stage.start("parked", "hotline", stage.enter("parked", "Aufzugsdienst Hebestreit GmbH"))


@scene(18)
def the_hotline_gets_the_wrong_revenue_account(stage: Stage) -> None:
    """8400 was meant; 1400 holds the receivables. From the next month on it can't be billed."""
    product = Product.objects.get(company=stage.company, code="hotline")
    products.update_product(product=product, changes={"revenue_account": "1400"}, by=stage.staff("admin"), at=stage.at)


# Money


@scene(150)
def some_take_plans_who_pay_in_their_own_way(stage: Stage) -> None:
    cast = {
        "never": "Fliesen Schuldig e. K.",
        "partial": "Raumausstattung Teilmann GmbH",
        "overpays": "Solartechnik Großzügig GmbH",
        "returned": "Kältetechnik Rückert KG",
        "voided": "Dachdeckerei Falschmann GmbH",
        "corrected": "Bootsbau Gutermann AG",
    }
    for key, name in cast.items():
        stage.start(key, "team", stage.enter(key, name, metadata={"pays": "by hand"}), seats=4)


@scene(133)
def exempt_and_foreign_ones_come(stage: Stage) -> None:
    school = stage.enter("exempt", "Handwerkskammer-Bildungsstätte Nord e. V.", tax_exemption=EXEMPTION)
    stage.start("exempt", "studio", school)
    paris = {"lines": ["12 rue de l'Église"], "postal_code": "75011", "city": "Paris", "country": "FR"}
    maison = stage.enter(
        "reverse", "Menuiserie Lefèvre SARL", address=paris, language="fr", vat_id="FR11999999998", vat_state="valid"
    )
    stage.start("reverse", "studio", maison)


@scene(100)
def those_who_pay_by_hand_pay(stage: Stage) -> None:
    for key in ("partial", "overpays", "returned", "voided", "corrected"):
        for invoice in stage.invoices(key):
            stage.pay(key, invoice.balance.open_minor, invoice=invoice)


@scene(60)
def they_pay_again(stage: Stage) -> None:
    for key in ("partial", "overpays", "voided", "corrected"):
        for invoice in stage.invoices(key):
            if invoice.balance.status == "open":
                stage.pay(key, invoice.balance.open_minor, invoice=invoice)
    returned = stage.open_invoice("returned")
    stage.pay("returned", returned.balance.open_minor, invoice=returned, method="debit")


@scene(52)
def a_debit_comes_back(stage: Stage) -> None:
    payment = stage.customer("returned").payments.filter(method="debit").latest("pk")
    payments.take_back(
        payment=payment, reason="Lastschrift zurückgegeben: AC04, Konto erloschen", by=stage.staff("accounting"),
        at=stage.at,
    )  # fmt: skip


@scene(39)
def a_wrong_invoice_is_voided(stage: Stage) -> None:
    customers.update_customer(
        customer=stage.customer("voided"), changes={"name": "Dachdeckerei Richtig GmbH"}, **stage.now
    )
    voiding.void(
        invoice=stage.invoices("voided")[-1], days="bill_again", reason="Firma hieß schon anders",
        by=stage.staff("accounting"), at=stage.at,
    )  # fmt: skip


@scene(35)
def an_invoice_is_corrected(stage: Stage) -> None:
    crediting.credit_invoice(
        invoice=stage.invoices("corrected")[-1], gross_minor=1190, reason="Ein Platz war nicht nutzbar",
        by=stage.staff("accounting"), at=stage.at,
    )  # fmt: skip


@scene(27)
def money_comes_short_and_plenty(stage: Stage) -> None:
    short = stage.open_invoice("partial")
    stage.pay("partial", short.balance.open_minor * 6 // 10, invoice=short, reference="Abschlag")
    plenty = stage.open_invoice("overpays")
    stage.pay("overpays", plenty.balance.open_minor + 5000, invoice=plenty, reference="Rechnung plus Rundung")


@scene(20)
def an_invoice_is_given_up(stage: Stage) -> None:
    payments.write_off(
        invoice=stage.open_invoice("never"), reason="Mahnung unzustellbar", by=stage.staff("accounting"), at=stage.at
    )


@scene(12)
def money_of_an_unknown_payer(stage: Stage) -> None:
    for minor, reference in ((8990, "RG 2o26-ll7 DANKE"), (14280, "Sammelüberweisung Nr. 3")):
        payments.record(
            company=stage.company, customer=None, amount_minor=minor, currency="EUR", method="transfer",
            received_on=stage.day, reference=reference, by=BY, at=stage.at,
        )  # fmt: skip


# Documents by hand, mail, data


@scene(10)
def an_onboarding_is_invoiced_by_hand(stage: Stage) -> None:
    drafting.issue(invoice=_onboarding(stage, "corrected", "Einrichtung vor Ort, 27.–28."), **stage.now)


@scene(1)
def a_draft_waits(stage: Stage) -> None:
    _onboarding(stage, "overpays", "Schulung im Team, ein Tag")


def _onboarding(stage: Stage, key: str, words: str) -> Invoice:
    product = Product.objects.get(company=stage.company, code="onboarding")
    line = drafting.DraftLine(description=words, quantity=Decimal(2), unit_amount=Decimal("640.00"), product=product)
    return drafting.create_draft(
        company=stage.company, customer=stage.customer(key), currency="EUR", lines=[line], by=stage.staff("sales"),
        at=stage.at,
    )  # fmt: skip


@scene(9)
def a_mail_will_be_refused(stage: Stage) -> None:
    stage.start("refused", "studio", stage.enter("refused", "Gartenbau Unbekannt verzogen GmbH", email=REFUSED_EMAIL))


@scene(90)
def a_customer_moves_house(stage: Stage) -> None:
    address = {"lines": ["Neuer Wall 3", "Hinterhaus"], "postal_code": "20354", "city": "Hamburg", "country": "DE"}
    customers.set_address(customer=stage.customer("yard"), kind="billing", address=address, **stage.now)


@scene(45)
def a_customer_is_archived(stage: Stage) -> None:
    customers.archive_customer(customer=stage.customer("expired"), by=stage.staff("sales"), at=stage.at)


@scene(15)
def colleagues_take_notes(stage: Stage) -> None:
    words = {
        "never": "Dreimal angerufen, niemand da. Nächster Versuch am Montag.",
        "partial": "Zahlt den Rest mit der nächsten Rechnung, so besprochen.",
    }
    for key, text in words.items():
        notes.add_note(customer=stage.customer(key), text=text, by=stage.staff("support"), at=stage.at)
