"""The first page: what I have, what I pay next and why, what is open, what needs me."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from billing.services import pay_links, previews
from core.design import formats
from crm.models import Reminder
from crm.services import offer_links, reminder_facts
from portal import changing, paying, standing
from portal.access import Visitor, needs
from portal.pages import page
from subscriptions.services.terms import ONE_DAY

#: Banners shown at most, and what they say of their occasion.
BANNERS = 3
BANNER_WORDS = {
    "before_renewal": _("%(name)s renews on %(day)s."),
    "before_notice_deadline": _("%(name)s can be canceled until %(day)s."),
    "before_trial_end": _("The trial of %(name)s ends: from %(day)s on it is paid."),
    "before_price_change": _("The price of %(name)s changes on %(day)s."),
    "": _("About %(name)s."),
}


@require_safe
@needs("see")
def home(request: HttpRequest) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    on = visitor.today
    rows = list(standing.with_positions(visitor).order_by("-id"))
    open_invoices = standing.open_invoices(visitor)
    late = standing.late(open_invoices, on)
    context: dict[str, Any] = {
        "today": on,
        "cards": cards(visitor, standing.running(rows)),
        "ended_count": len(standing.ended(rows)),
        "open_invoices": [(row, standing.invoice_state(row.balance, on)) for row in open_invoices[:5]],
        "open_count": len(open_invoices),
        "open_totals": standing.totals(open_invoices),
        "late_count": len(late),
        "late_totals": standing.totals(late),
        "oldest_late": late[0] if late else None,
        "problem": paying.problem(visitor) if "pay" in visitor.rights else None,
        "pay_token": pay_links.token_of(open_invoices[0], on=on) if open_invoices and "pay" in visitor.rights else "",
        "credits": standing.credits(visitor),
        "credit_rows": standing.credit_rows(visitor),
        "next": next_payment(visitor),
        "banners": banners(visitor),
    }
    return page(request, "home", context)


def banners(visitor: Visitor) -> list[dict[str, str]]:
    """Reminders that are shown here, as long as their occasion or their offer is to come."""
    rows = Reminder.objects.filter(
        customer=visitor.customer, rule__channel__in=("portal", "both"), accepted_at__isnull=True,
        subscription__isnull=False,
    ).filter(Q(occasion_on__gte=visitor.today) | Q(offer_until_on__gte=visitor.today))  # fmt: skip
    shown = []
    for row in rows.select_related("rule", "offer__discount", "subscription").order_by("-pk")[:BANNERS]:
        assert row.subscription is not None
        words = {"name": row.subscription.name, "day": formats.day(row.occasion_on, style="long")}
        language = get_language() or visitor.company.language
        text = (
            reminder_facts.offer_words(row.offer, language, visitor.company)
            if row.offer is not None
            else BANNER_WORDS.get(row.rule.occasion, BANNER_WORDS[""]) % words
        )
        url = reverse("reminder", args=[offer_links.token_of(row, on=visitor.today)])
        shown.append({"text": text, "url": url})
    return shown


def cards(visitor: Visitor, subscriptions: Sequence[Any]) -> list[dict[str, Any]]:
    """Running subscriptions, each in a few lines."""
    planned = changing.planned(visitor, subscriptions)
    return [_card(visitor, row, planned[row.pk]) for row in subscriptions]


def _card(visitor: Visitor, subscription: Any, planned: list[dict[str, object]]) -> dict[str, Any]:
    return {
        "row": subscription,
        "state": standing.state_of(subscription),
        "positions": standing.positions(subscription, visitor.today),
        "last_free_on": subscription.paid_from_on - ONE_DAY,
        "may_change": changing.may_change(visitor, subscription),
        "may_pause": changing.may_pause(visitor, subscription),
        "may_resume": changing.may_resume(visitor, subscription),
        "planned": planned,
        "may_cancel": standing.may_cancel(visitor, subscription),
        "may_undo": standing.may_undo(visitor, subscription, visitor.today),
    }


def next_payment(visitor: Visitor) -> dict[str, Any] | None:
    """What falls due next over all subscriptions, line by line with its reason; None when nothing will."""
    coming = previews.next_of(visitor.customer)
    if coming is None:
        return None
    day, documents = coming
    invoices = [one for one in documents if one.kind == "invoice"]
    return {
        "on": day,
        "sums": [(one.to_pay, one.currency) for one in invoices],
        "credited": any(one.to_pay != one.gross for one in invoices),
        "lines": [
            {**standing.line_in_words(line, one.currency), "currency": one.currency}
            for one in invoices
            for line in one.lines
        ],
    }
