"""Words of the refusals about leads and quotes, and what the timeline calls their events."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register
from customers.services import titles

register(
    {
        "lead.nameless": _("Enter a name or a company."),
        "lead.external_id_taken": _("The external id %(value)s belongs to another lead."),
        "lead.lost_needs_reason": _("Say why the lead is lost."),
        "lead.merged_away": _("This lead was merged into another one."),
        "lead.merge_itself": _("A lead is merged with another lead of this company."),
        "lead.merge_two_customers": _("Both leads became customers; they can't be merged."),
        "lead.converted_to_other": _("This lead is the customer %(customer)s already."),
        "lead.country_needed": _("Choose the country: taxes depend on it."),
        "lead_stage.name_taken": _("There is a stage called %(name)s already."),
        "lead_stage.last_of_kind": _("The pipeline needs a stage that is %(kind)s."),
        "lead_stage.in_use": _("Leads stand in %(stage)s; move them first."),
        "lead_form.closed": _("This form is closed."),
        "quote.for_whom": _("A quote is for a lead or for a customer."),
        "quote.without_positions": _("A quote needs a position that isn't optional."),
        "quote.too_many_positions": _("A quote has at most %(most)s positions."),
        "quote.product_twice": _("Each product stands on a quote once; change its quantity."),
        "quote.usage_of_the_plan": _("Usage is billed by the plan's price; %(product)s isn't part of the plan."),
        "quote.quantity": _("The quantity is above 0."),
        "quote.altered": _("What was stored of quote %(number)s is no longer what was sent."),
        "quote.frozen": _("Quote %(number)s was sent and stays as it is; make a new version."),
        "quote.state": _("Quote %(number)s is %(state)s."),
        "quote.not_the_last": _("There is a later version of this quote: %(number)s."),
        "quote.no_email": _("Enter the address it is sent to."),
        "quote.over": _("This quote was good until %(day)s."),
        "quote_link.invalid": _("This link is not valid."),
        "quote_link.over": _("This link was good until %(day)s."),
    }
)
titles.register(
    {
        "lead.created": _("Lead entered"),
        "lead.updated": _("Lead changed"),
        "lead.assigned": _("Lead given to somebody"),
        "lead.moved": _("Lead moved on"),
        "lead.won": _("Lead won"),
        "lead.lost": _("Lead lost"),
        "lead.reopened": _("Lead taken up again"),
        "lead.commented": _("Note on a lead"),
        "lead.converted": _("Lead became a customer"),
        "lead.merged": _("Leads merged"),
        "quote.created": _("Quote written"),
        "quote.updated": _("Quote changed"),
        "quote.deleted": _("Draft of a quote deleted"),
        "quote.sent": _("Quote sent"),
        "quote.opened": _("Quote read for the first time"),
        "quote.accepted": _("Quote accepted"),
        "quote.declined": _("Quote declined"),
        "quote.expired": _("Quote ran out"),
        "quote.replaced": _("Quote replaced by a new version"),
        "quote.withdrawn": _("Quote withdrawn"),
    }
)
