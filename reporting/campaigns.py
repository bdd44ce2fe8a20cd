"""The report on campaigns: whom each brought, what that is worth a month, what its discounts cost, and what came back.

The rule that matters: who was brought is told by the first touch alone, who was given a discount by the agreement; a
campaign may have one without the other, and nothing is counted for a campaign that didn't bring it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Sum
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from billing.models import DiscountUse
from catalog.models import Discount
from catalog.services.texts import in_language
from core.models import Company
from core.replica import connection, reads_replica
from reporting import dimensions, findings, growth, revenue, revenue_lines
from reporting.growth import Retained
from reporting.in_one import Turning, rate_day
from reporting.registry import Spec, register
from reporting.shapes import Asked, Column, Kind, Line, Plot, Report, Rows, Table, Value
from subscriptions.models import AgreedDiscount

_BROUGHT: Final = _("Customers whose first touch was the campaign and who had their first revenue in the time.")
_CAME: Final = _(
    "What the campaign stands for: the monthly revenue, at the end of each month of the time, of all customers whose"
    " first touch it was, added up."
)
_COST: Final = _("What its discounts took off charges that fell due in the time, given back counted against it.")
_RETURN: Final = _("What the campaign stands for ÷ what its discounts cost. Without a cost there is no figure.")
_GIVEN: Final = _("Subscriptions that were ever given one of its discounts.")
_WORTH: Final = _("Monthly revenue of these subscriptions at the end of the last day.")
_MRR: Final = _("Monthly revenue, at the end of the last day, of customers whose first touch it was.")
_APART: Final = _("Agreed apart from the catalog")
_TWICE: Final = _("A subscription with two discounts stands with both.")
#: Worth of the subscriptions that have a discount, each once for every discount, or for every campaign.
_OF_GIVEN: Final = """
    SELECT given.what, m.currency, sum(m.amount_minor)::bigint
    FROM (
        SELECT DISTINCT {what} AS what, a.subscription_id
        FROM subscriptions_agreeddiscount a JOIN catalog_discount d ON d.id = a.discount_id
        WHERE a.company_id = %(company)s
    ) given
    JOIN subscriptions_movement m ON m.subscription_id = given.subscription_id
    WHERE m.company_id = %(company)s AND m.booked_on <= %(last)s
    GROUP BY 1, 2
"""


@dataclass(slots=True)
class Given:
    """Of a discount or campaign in a currency: subscriptions that have it, their monthly revenue, what it cost."""

    subscriptions: int = 0
    worth: int = 0
    cost: int = 0


Key = tuple[str, Any]


@reads_replica
def build(company: Company, asked: Asked) -> Report:
    """Tables `campaigns` and `discounts`, by currency."""
    turning = Turning(company, asked)
    brought = revenue_lines.wanted_of(company, asked, turning, by="campaign")
    lines = revenue_lines.read(brought, asked, turning)
    won = growth.told(brought, asked, turning)
    given = _given(company, asked, turning, "d.campaign_id", "discount__campaign_id")
    tables = [
        _campaigns(company, asked, turning, lines, won, given),
        _discounts(company, asked, turning, _given(company, asked, turning, "a.discount_id", "discount_id")),
    ]
    plots = [
        Plot(_("New monthly revenue by campaign"), "campaigns", ["new"], currency=currency,
             finding=findings.campaigns(tables[0], currency))
        for currency in lines.currencies
    ]  # fmt: skip
    return Report((), tables, plots, warnings=turning.warnings())


def _given(company: Company, asked: Asked, turning: Turning, column: str, name: str) -> dict[Key, Given]:
    """By currency told and discount or campaign; three statements."""
    found: dict[Key, Given] = defaultdict(Given)
    day = rate_day(asked.last.replace(day=1), asked)
    agreed = AgreedDiscount.objects.filter(company=company).order_by()
    counts = agreed.values_list("subscription__currency", name).annotate(Count("subscription_id", distinct=True))
    for currency, what, count in counts:
        if turning.wants(currency):
            found[turning.turn(currency, 0, day)[0], what].subscriptions += count
    with connection().cursor() as cursor:
        cursor.execute(_OF_GIVEN.format(what=column), {"company": company.pk, "last": asked.last})
        for what, currency, minor in cursor.fetchall():
            if turning.wants(currency):
                told, turned = turning.turn(currency, minor, day)
                found[told, what].worth += turned
    uses = DiscountUse.objects.filter(company=company, due_on__gte=asked.first, due_on__lte=asked.last).order_by()
    cost = uses.values_list("agreed__subscription__currency", f"agreed__{name}").annotate(Sum("amount_minor"))
    for currency, what, minor in cost:
        if turning.wants(currency):
            told, turned = turning.turn(currency, minor, day)
            found[told, what].cost += turned
    return found


def _campaigns(
    company: Company, asked: Asked, turning: Turning, lines: revenue_lines.Lines, won: dict[Key, Retained],
    given: dict[Key, Given],
) -> Table:  # fmt: skip
    columns = [
        Column("campaign", _("Campaign")), Column("customers", _("Customers won"), Kind.COUNT, definition=_BROUGHT),
        Column("new", _("New monthly revenue"), Kind.MONEY, is_summed=True, definition=growth.NEW),
        Column("kept_3", _("Revenue kept after 3 months"), Kind.PERCENT, definition=growth.KEPT_REVENUE),
        Column("kept_12", _("Revenue kept after 12 months"), Kind.PERCENT, definition=growth.KEPT_REVENUE),
        Column("mrr", _("Monthly revenue"), Kind.MONEY, is_summed=True, definition=_MRR),
        Column("subscriptions", _("With its discounts"), Kind.COUNT, definition=_GIVEN),
        Column("worth", _("Revenue of these"), Kind.MONEY, definition=_WORTH),
        Column("cost", _("Discounts given"), Kind.MONEY, is_summed=True, definition=_COST),
        Column("came", _("Stands for"), Kind.MONEY, is_summed=True, definition=_CAME),
        Column("return", _("Return"), Kind.RATIO, definition=_RETURN),
    ]  # fmt: skip
    keys = [*lines.lines, *won, *(key for key in given if key[1] is not None)]
    told = dimensions.told(company, "campaign", {campaign for _currency, campaign in keys})
    days = {"first": asked.first.isoformat(), "last": asked.last.isoformat()}
    wanted = dimensions.columns_of(company, asked.only)
    found = []
    for currency, campaign in dict.fromkeys(keys):
        if wanted and campaign != wanted["campaign_id"]:
            continue
        text, name = told[campaign]
        months = lines.lines.get((currency, campaign), [])
        one, gave = won.get((currency, campaign), Retained()), given.get((currency, campaign), Given())
        gave = gave if campaign is not None else Given()
        came = sum(month.closing for month in months)
        rows: dict[str, Rows] = {}
        if turning.opens(currency):
            where = {"currency": currency, "campaign": text}
            rows = {
                "customers": Rows("won_customers", {**where, **days}),
                "new": Rows("movements", {**where, **days, "kind": "new"}),
                "mrr": Rows("recurring", {**where, "on": days["last"]}),
            }
            if campaign is not None:
                rows |= _opened({"currency": currency, "given_campaign": text}, days)
        cells: list[Value] = [
            dimensions.without(name), one.customers, one.won, one.kept_revenue(3), one.kept_revenue(12),
            months[-1].closing if months else 0, gave.subscriptions, gave.worth, gave.cost, came,
            revenue.ratio(came, gave.cost),
        ]  # fmt: skip
        found.append(Line(cells, currency, rows))
    found.sort(key=lambda line: (line.currency, -int(str(line.cells[2])), str(line.cells[0])))
    return Table("campaigns", _("Campaigns"), columns, found)


def _opened(where: dict[str, str], days: dict[str, str]) -> dict[str, Rows]:
    """Rows of what was given: of a discount, or of all discounts of a campaign."""
    return {
        "subscriptions": Rows("given_discounts", where),
        "worth": Rows("recurring", {**where, "on": days["last"]}),
        "cost": Rows("discount_uses", {**where, **days}),
    }


def _discounts(company: Company, asked: Asked, turning: Turning, given: dict[Key, Given]) -> Table:
    columns = [
        Column("discount", _("Discount")), Column("campaign", _("Campaign")),
        Column("subscriptions", _("Subscriptions"), Kind.COUNT, definition=_GIVEN),
        Column("worth", _("Revenue of these"), Kind.MONEY, definition=_WORTH),
        Column("cost", _("Discounts given"), Kind.MONEY, is_summed=True, definition=_COST),
        Column("return", _("Monthly revenue for each unit given"), Kind.RATIO,
               definition=_("Monthly revenue of these subscriptions ÷ discounts given in the time.")),
    ]  # fmt: skip
    rows = Discount.objects.filter(pk__in={discount for _currency, discount in given}).select_related("campaign")
    if asked.only:
        rows = rows.filter(**{
            f"campaign_id{'__isnull' if value is None else ''}": True if value is None else value
            for value in dimensions.columns_of(company, asked.only).values()
        })  # fmt: skip
    known = {row.pk: row for row in rows}
    language = (get_language() or company.language).split("-")[0]
    days = {"first": asked.first.isoformat(), "last": asked.last.isoformat()}
    found = []
    for (currency, discount), one in given.items():
        row = known.get(discount)
        if row is None:
            if discount is None and not asked.only:
                apart: list[Value] = [
                    str(_APART),
                    "",
                    one.subscriptions,
                    one.worth,
                    one.cost,
                    revenue.ratio(one.worth, one.cost),
                ]
                found.append(Line(apart, currency))
            continue
        opened = _opened({"currency": currency, "discount": row.ref}, days) if turning.opens(currency) else {}
        cells: list[Value] = [
            in_language(row.name, language, company.language), row.campaign.name if row.campaign else "",
            one.subscriptions, one.worth, one.cost, revenue.ratio(one.worth, one.cost),
        ]  # fmt: skip
        found.append(Line(cells, currency, opened))
    found.sort(key=lambda line: (line.currency, -int(str(line.cells[3])), str(line.cells[0])))
    return Table("discounts", _("Offers"), columns, found, note=_TWICE)


register(
    Spec(
        name="campaigns",
        title=_("Campaigns"),
        text=_("Whom campaigns brought, how much of it stayed, what their discounts cost and what came back."),
        group="growth",
        build=build,
        dimensions=tuple(one for one in dimensions.CHOICES if one[0] == "campaign"),
    )
)
