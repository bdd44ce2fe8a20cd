"""Words of this room's refusals: code to sentence, with named placeholders."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register(
    {
        "catalog.text_missing": _("The text in the company's language, %(language)s, is missing."),
        "catalog.code_form": _("A code has letters, digits, hyphens and underscores only, at most %(limit)s of them."),
        "catalog.code_taken": _("There is already one with the code %(value)s."),
        "catalog.external_id_taken": _("There is already one with the external id %(value)s."),
        "product.archived": _("%(code)s is archived and can't be sold."),
        "product.category_unknown": _("There is no such tax category in this company."),
        "product.on_sale": _("%(code)s is part of plans on sale: %(plans)s. Retire them first."),
        "meter.on_sale": _("%(code)s counts usage in plans on sale: %(plans)s. Retire them first."),
        "plan.without_items": _("A plan needs at least one product."),
        "plan.without_price": _("No currency has a price for every product of this plan."),
        "plan.tax_behavior_mixed": _("All prices of a plan in one currency are net, or all are gross."),
        "plan.product_twice": _("%(code)s is in this plan already."),
        "plan.meter_missing": _("What is charged by usage needs a meter that counts it."),
        "plan.meter_without_usage": _("Only what is charged by usage has a meter."),
        "plan.meter_archived": _("The meter %(code)s is archived."),
        "plan.move": _("A plan that is %(state)s can't be made %(to)s."),
        "plan.calendar_of_days": _("Cycles of days have no calendar; choose another billing day."),
        "plan.calendar_count": _("A cycle bound to the calendar must divide the year; %(count)s does not divide 12."),
        "plan.anchor_day_missing": _("A chosen billing day needs the day of the month."),
        "plan.anchor_day_cycle": _("A chosen billing day needs a cycle of months or years."),
        "plan.term_missing": _("A plan whose term ends needs the length of the term."),
        "plan.interval_too_long": _("The cycle is too long."),
        "price.details": _("The price lacks what its model needs, or contradicts itself: %(detail)s."),
        "tiers_missing": _("It needs at least one tier."),
        "last_tier_without_bound": _("The last tier has no upper bound, and no other is without."),
        "tier_bounds_not_rising": _("Each tier reaches further than the one before."),
        "package_of_nothing": _("A package holds more than nothing."),
        "ceiling_below_floor": _("The most one event costs is less than the least."),
        "price_below_zero": _("No figure of a price lies below zero."),
        "anchor_calendar_of_days": _("Cycles of days have no calendar; choose another billing day."),
        "anchor_calendar_count": _("A cycle bound to the calendar must divide the year; %(count)s does not divide 12."),
        "anchor_day_without_months": _("A chosen billing day needs a cycle of months or years."),
        "term_without_length": _("A plan whose term ends needs the length of the term."),
        "date_out_of_range": _("A day would be too far away."),
        "price.minimum_once": _("What is charged once has no minimum per period."),
        "price.valid_from_past_version": _(
            "Version %(version)s is valid from %(day)s; a new version must begin later."
        ),
        "discount.percent_or_amount": _("A discount is a percent, or an amount with its currency."),
        "discount.percent_range": _("The percent must be above 0 and at most 100."),
        "discount.periods": _("A discount for a number of periods needs that number; any other has none."),
        "discount.target": _("A discount for one product or one price names it; any other names none."),
        "discount.archived": _("The discount %(code)s is archived and no longer given."),
        "offer_code.days": _("The last day of a code can't lie before its first."),
        "tax_rate.exists": _("A rate of %(percent)s %% already holds from that day; add one from the day it changes."),
        "tax_rate.outside": _("Outside the VAT area nothing is charged: the rate is 0."),
        "tax_rate.place": _("Only a region is a special place; name the region, or leave the kind of place empty."),
    }
)
