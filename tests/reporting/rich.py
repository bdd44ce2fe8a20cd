"""A company in whose two years everything happens that recurring revenue knows, in two currencies and with neighbours.

The rule that matters: everything is done by the verbs, on its day, while the days pass as on the real clock.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.factories import a_customer, a_plan, a_subscription
from tests.reporting.rich_money import a_debit_begins, the_bank_refuses

FIRST, TODAY = date(2025, 1, 1), date(2026, 3, 20)
#: Dollars for one euro at each month's end; the last of May is no banking day.
DOLLARS = Decimal("1.10")


def rates_of_dollars(first: date, last: date) -> None:
    """A rate for each weekday, a little higher every month."""
    from billing.models import ExchangeRate

    day, rows = first, []
    while day <= last:
        if day.weekday() < 5:
            months = (day.year - first.year) * 12 + day.month - first.month
            rows.append(
                ExchangeRate(day=day, currency="USD", rate=DOLLARS + Decimal(months) / 100, source="European bank")
            )
        day += timedelta(days=1)
    ExchangeRate.objects.bulk_create(rows)


def a_rich_life(until: date = TODAY) -> Any:
    """The company's `Life`, with `cast`: customers and subscriptions by name."""
    from billing.services import acts, acts_changing, acts_discounting, acts_pausing
    from catalog.services.discounts import create_campaign, create_code, create_discount
    from core.services.company import update_company
    from customers.services.customers import set_address
    from subscriptions.services import first_touch
    from subscriptions.services.agreeing import ItemSpec
    from subscriptions.services.change_specs import ItemChange
    from tests.stories.life import Life

    rates_of_dollars(date(2024, 12, 20), until)
    life = Life(FIRST)
    company = life.company
    free: dict[str, Any] = {"notice_to": "any_day"}
    basic = a_plan(company, amount="19.90", rules=free)
    pro = a_plan(company, amount="49.00", rules=free)
    yearly = a_plan(company, amount="1000.00", rules={"interval_unit": "year", "notice_to": "any_day"})
    dollars = a_plan(company, amount="30.00", currency="USD", rules=free)
    fair = life.do(create_campaign, company=company, code="fair", name="Fair")
    people = {name: a_customer(company) for name in ("anna", "bert", "cleo", "dora", "emil", "finn", "gina", "hugo")}
    people |= {name: a_customer(company, country="AT") for name in ("ida", "jan", "kim")}
    subs: dict[str, Any] = {}
    life.cast = (people, subs)

    subs["anna1"] = life.start(basic, people["anna"])
    subs["bert"] = life.start(basic, people["bert"])
    first_touch.note(company=company, customer=people["dora"], campaign=fair, source="fair", at=life.at)
    subs["dora"] = life.start(yearly, people["dora"])
    life.until(date(2025, 2, 10))
    subs["cleo"] = life.start(dollars, people["cleo"], currency="USD")
    subs["emil1"] = life.start(basic, people["emil"])
    subs["emil2"] = life.start(dollars, people["emil"], currency="USD")
    ten = life.do(
        create_discount, company=company, code="ten", name={"en": "Ten"}, percent=Decimal(20), duration="periods",
        periods=3, campaign=fair,
    )  # fmt: skip
    life.do(create_code, discount=ten, code="TEN")
    subs["finn"] = life.start(pro, people["finn"], offer_code="TEN")
    life.until(date(2025, 3, 5))
    subs["anna2"] = life.start(pro, people["anna"])
    subs["gina"] = life.start(pro, people["gina"])
    subs["ida"] = life.start(basic, people["ida"])
    life.until(date(2025, 4, 2))
    life.do(update_company, company=company, changes={"books_closed_on": date(2025, 3, 31)})
    life.do(acts_changing.change, subscription=subs["bert"], plan=pro, timing="now")
    life.until(date(2025, 5, 12))
    life.do(set_address, customer=people["dora"], address={
        "lines": ["Rue 1"], "postal_code": "75001", "city": "Paris", "country": "FR"})  # fmt: skip
    slot = subs["cleo"].slots.get()
    life.do(acts_changing.change, subscription=subs["cleo"], items=[ItemChange(slot=slot, quantity=Decimal(3))],
            timing="now")  # fmt: skip
    life.do(acts.cancel, subscription=subs["anna1"], timing="now", unused="credit", reason="not_used")
    life.pay_all()
    life.until(date(2025, 7, 1))
    life.do(acts_pausing.pause, subscription=subs["finn"], from_on=date(2025, 7, 10), until=date(2025, 9, 9))
    life.do(acts.cancel, subscription=subs["emil1"], timing="now", unused="none", reason="too_expensive",
            comment="It costs too much.")  # fmt: skip
    life.do(acts.cancel, subscription=subs["anna2"], timing="period_end", reason="moved")
    subs["jan"] = life.start(yearly, people["jan"])
    life.pay_all()
    life.until(date(2025, 9, 20))
    life.do(acts_changing.change, subscription=subs["gina"], plan=basic, timing="now")
    life.do(acts.cancel, subscription=subs["ida"], timing="now", unused="none", reason="payment")
    life.until(date(2025, 11, 3))
    life.do(update_company, company=company, changes={"books_closed_on": date(2025, 10, 31)})
    subs["anna3"] = life.start(dollars, people["anna"], currency="USD")
    subs["anna4"] = life.start(pro, people["anna"])
    subs["kim"] = life.start(
        basic, people["kim"], items=[ItemSpec(basic.items.get().product, quantity=Decimal(4))]
    )  # fmt: skip
    life.pay_all()
    life.until(date(2026, 1, 15))
    life.do(acts_pausing.suspend, subscription=subs["gina"])
    debit = a_debit_begins(life)
    life.until(date(2026, 3, 10))
    the_bank_refuses(life, debit)
    life.do(acts.cancel, subscription=subs["jan"], timing="period_end", reason="switching")
    subs["hugo"] = a_subscription(company, people["hugo"], pro, on=life.day, start_on=date(2026, 5, 1))
    loss = life.do(
        create_discount, company=company, code="less", name={"en": "Less"}, percent=Decimal(50), duration="forever"
    )
    life.do(acts_discounting.give, subscription=subs["kim"], discount=loss)
    life.until(until)
    return life
