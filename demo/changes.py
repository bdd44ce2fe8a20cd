"""The scenes of contracts that change while they run: seats, plans, pauses, add-ons, billing days, price versions."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from billing.services import acts, acts_changing, acts_pausing, acts_versions
from catalog.models import Plan, PlanItem, Price, Product, TaxCategory
from catalog.services import plans, products
from catalog.services.plans import PlanItemSpec, PriceSpec
from customers.services import customers
from demo.company import RATES, price_in
from demo.scenes import Stage, scene
from subscriptions.services import versions
from subscriptions.services.agreeing import ItemSpec
from subscriptions.services.change_specs import ItemChange


@scene(300)
def a_larger_plan_goes_on_sale(stage: Stage) -> None:
    """Cheaper seats for all from the eleventh on, a set-up fee, and an add-on to choose."""
    rows = {row.code: row for row in Product.objects.filter(company=stage.company)}
    backup = products.create_product(
        company=stage.company,
        code="backup",
        name={"de": "Datensicherung", "en": "Backup", "fr": "Sauvegarde", "it": "Backup", "es": "Copia de seguridad"},
        tax_category=TaxCategory.objects.get(company=stage.company, code="standard-electronic"),
        **stage.now,
    )

    def prices(amount: str, model: str = "per_unit") -> list[PriceSpec]:
        return [PriceSpec(one, price_in(one, amount), stage.day, model=model) for one in RATES]

    seats = [
        PriceSpec(
            one,
            Decimal(0),
            stage.day,
            model="volume",
            details={
                "tiers": [
                    {"up_to": "10", "unit_price": str(price_in(one, "21.00"))},
                    {"unit_price": str(price_in(one, "18.50"))},
                ]
            },
        )
        for one in RATES
    ]
    plans.create_plan(
        company=stage.company,
        code="pro",
        name={"de": "Team Pro", "en": "Team Pro"},
        items=[
            PlanItemSpec(rows["team"], prices=seats),
            PlanItemSpec(rows["onboarding"], prices=prices("290.00", "flat"), kind="one_off"),
            PlanItemSpec(backup, prices=prices("8.00", "flat"), is_optional=True),
        ],
        rules={"interval_unit": "month", "interval_count": 1, "cancel_unused": "credit", "notice_to": "any_day"},
        status="on_sale",
        customer_may_change=True,
        customer_may_pause=True,
        **stage.now,
    )


# Seats, and another cycle


@scene(260)
def a_workshop_starts_small(stage: Stage) -> None:
    stage.start("grows", "team-yearly", stage.enter("grows", "Tischlerei Wachsmuth GmbH"), seats=3)


@scene(170)
def it_hires_two(stage: Stage) -> None:
    _seats(stage, "grows", 5)


@scene(48)
def it_hires_four_more(stage: Stage) -> None:
    _seats(stage, "grows", 9)


def _seats(stage: Stage, key: str, count: int) -> None:
    subscription = stage.subscription(key)
    slot = subscription.slots.get(product__code="team")
    acts_changing.change(
        subscription=subscription, items=[ItemChange(slot=slot, quantity=Decimal(count))], on=stage.day,
        by=stage.staff("sales"), at=stage.at,
    )  # fmt: skip


@scene(190)
def two_take_team(stage: Stage) -> None:
    stage.start("upgrade", "team", stage.enter("upgrade", "Elektro Steigerwald KG"), seats=5)
    stage.start("yearly", "team", stage.enter("yearly", "Optik Weitblick GmbH"), seats=2)


@scene(68)
def one_upgrades(stage: Stage) -> None:
    """With an add-on: the paid days are given back, and the new plan is charged from today."""
    backup = Product.objects.get(company=stage.company, code="backup")
    _to_plan(stage, "upgrade", "pro", [ItemChange(product=backup)])


@scene(34)
def one_goes_over_to_yearly(stage: Stage) -> None:
    _to_plan(stage, "yearly", "team-yearly")


def _to_plan(stage: Stage, key: str, code: str, items: list[ItemChange] | None = None) -> None:
    acts_changing.change(
        subscription=stage.subscription(key), plan=Plan.objects.get(company=stage.company, code=code),
        items=items or [], on=stage.day, by=stage.staff("sales"), at=stage.at,
    )  # fmt: skip


@scene(95)
def two_take_the_larger_plan(stage: Stage) -> None:
    """Both pay the set-up; one takes the add-on at once."""
    firm = stage.enter("downgrade", "Malerbetrieb Kleinschmidt e. K.")
    stage.start("downgrade", "pro", firm, add_ons=[_add_on(stage)], items=_pro(stage, 12))
    stage.start("addon", "pro", stage.enter("addon", "Metzgerei Speckmann GmbH"), items=_pro(stage, 3))


def _pro(stage: Stage, seats: int) -> list[ItemSpec]:
    items = PlanItem.objects.filter(plan__company=stage.company, plan__code="pro", is_optional=False)
    return [
        ItemSpec(item.product, quantity=Decimal(seats if item.kind == PlanItem.Kind.RECURRING else 1))
        for item in items.select_related("product").order_by("position")
    ]


def _add_on(stage: Stage) -> ItemSpec:
    return ItemSpec(Product.objects.get(company=stage.company, code="backup"))


@scene(38)
def one_adds_the_backup(stage: Stage) -> None:
    backup = Product.objects.get(company=stage.company, code="backup")
    acts_changing.change(
        subscription=stage.subscription("addon"), items=[ItemChange(product=backup)], on=stage.day,
        by=stage.staff("support"), at=stage.at,
    )  # fmt: skip


@scene(2)
def one_will_be_smaller(stage: Stage) -> None:
    """Less than today: without another word it waits for the end of the paid period."""
    _to_plan(stage, "downgrade", "team")


# Pauses, suspensions, ends, days


@scene(175)
def more_take_team(stage: Stage) -> None:
    cast = {
        "paused": "Surfschule Winterruhe GmbH",
        "pauses": "Eisdiele Sonnenschein GmbH",
        "rested": "Campingplatz Dünengras e. K.",
        "moves": "Buchhandlung Monatserster OHG",
        "backdated": "Kiosk am Anleger e. K.",
        "suspended": "Trockenbau Säumig GmbH",
        "reinstated": "Klempnerei Wiederkehr GmbH",
    }
    for key, name in cast.items():
        habit = "by hand" if key in ("suspended", "reinstated") else "prompt"
        stage.start(key, "team", stage.enter(key, name, metadata={"pays": habit}), seats=3)


@scene(118)
def one_rests(stage: Stage) -> None:
    acts_pausing.pause(
        subscription=stage.subscription("rested"), until=stage.day + timedelta(days=40), reason="Betriebsferien",
        on=stage.day, **stage.now,
    )  # fmt: skip


@scene(19)
def one_pauses_for_the_winter(stage: Stage) -> None:
    acts_pausing.pause(
        subscription=stage.subscription("paused"), until=stage.day + timedelta(days=120), reason="Winterpause",
        on=stage.day, by=stage.staff("support"), at=stage.at,
    )  # fmt: skip


@scene(7)
def one_plans_its_pause(stage: Stage) -> None:
    first = stage.day + timedelta(days=30)
    acts_pausing.pause(
        subscription=stage.subscription("pauses"), from_on=first, until=first + timedelta(days=60),
        reason="Saisonende", on=stage.day, by=stage.staff("support"), at=stage.at,
    )  # fmt: skip


@scene(58)
def one_wants_to_pay_on_the_first(stage: Stage) -> None:
    acts_pausing.move_billing_day(
        subscription=stage.subscription("moves"), day=1, reason="Auf Wunsch zum Monatsersten", on=stage.day,
        **stage.now,
    )  # fmt: skip


@scene(16)
def one_had_left_already(stage: Stage) -> None:
    """The letter came ten days ago and lay in the wrong tray."""
    acts.cancel(
        subscription=stage.subscription("backdated"), timing="date", ends_on=stage.day - timedelta(days=10),
        unused="credit", reason="closed", override=True, override_reason="Kündigung lag im falschen Fach",
        on=stage.day, by=stage.staff("admin"), at=stage.at,
    )  # fmt: skip


@scene(80)
def one_is_suspended_for_a_while(stage: Stage) -> None:
    _suspend(stage, "reinstated")


@scene(66)
def it_pays_and_is_back(stage: Stage) -> None:
    for invoice in stage.invoices("reinstated"):
        if invoice.balance.status == "open":
            stage.pay("reinstated", invoice.balance.open_minor, invoice=invoice)
    customers.update_customer(
        customer=stage.customer("reinstated"), changes={"metadata": {"pays": "prompt"}}, **stage.now
    )
    acts_pausing.reinstate(
        subscription=stage.subscription("reinstated"), reason="Alles bezahlt", on=stage.day,
        by=stage.staff("accounting"), at=stage.at,
    )  # fmt: skip


@scene(11)
def one_is_suspended(stage: Stage) -> None:
    _suspend(stage, "suspended")


def _suspend(stage: Stage, key: str) -> None:
    acts_pausing.suspend(
        subscription=stage.subscription(key), reason="Mehrere Rechnungen sind offen", on=stage.day,
        by=stage.staff("accounting"), at=stage.at,
    )  # fmt: skip


# Old customers come to today's price


@scene(26)
def some_move_to_todays_price(stage: Stage) -> None:
    """Four who were told in time: at their next period's start, once a minimum term is over."""
    [item] = PlanItem.objects.filter(plan__company=stage.company, plan__code="team", product__code="team")
    price = Price.objects.filter(item=item, currency="EUR").latest("version")
    held = versions.held_on_others(price).filter(state="active", end_kind="")
    acts_versions.move_versions(
        company=stage.company, price=price, subscriptions=list(held.order_by("pk")[:4]),
        reason="Neue Preisliste, angekündigt im September", on=stage.day, by=stage.staff("sales"), at=stage.at,
    )  # fmt: skip
