"""Paying an invoice by its mailed link, without signing in; the way to the provider's page and back.

The rule that matters: an address opens what its signature names and nothing else; clicking often is clicking once.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from billing.models import Attempt, Gateway, Invoice, PaymentMethod
from billing.services import attempts, pay_links, sending
from core import clock
from core.refusal import Refused
from portal import paying, standing
from portal.access import View, Visitor
from portal.limits import place_of, too_many
from portal.pages import face

State = Attempt.State
#: In an hour: unknown links from one place, payments begun by one link, look-ups of one payment.
WRONG, BEGUN, LOOKED = 60, 60, 120
#: How often "one moment" looks again by itself.
MOMENTS = 20
ON = "pay_on"
#: Refusals of a signed link that are answered in words.
BAD_LINKS = (
    "pay_link.invalid", "pay_link.over", "reminder_link.invalid", "reminder_link.over", "reminder_link.closed",
    "mailing_link.invalid", "mailing_link.over", "quote_link.invalid", "quote_link.over",
)  # fmt: skip


def public(view: View) -> View:
    """A page behind a signed link: never cached or listed; a bad link is answered in words.

    Other sites don't learn its address: the site's pages tell theirs to nobody else.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except Refused as refused:
            if refused.code not in BAD_LINKS:
                raise
            response = _bad_link(request, refused)
        response["X-Robots-Tag"] = "noindex"
        return response

    return never_cache(guarded)


def _bad_link(request: HttpRequest, refused: Refused) -> HttpResponse:
    if too_many("pay-wrong", place_of(request), WRONG):
        return render(request, "429.html", status=429)
    status = 410 if refused.code in BAD_LINKS and refused.code.endswith((".over", ".closed")) else 404
    return render(request, "portal/pay_bad_link.html", {"message": refused.message}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@public
def pay(request: HttpRequest, token: str) -> HttpResponse:
    """What is open and how to pay it; a POST begins the payment in the chosen way."""
    invoice = pay_links.read(token)
    visitor = paying.visitor_of(request, invoice)
    if request.method != "POST":
        return page(request, invoice, token, visitor)
    if too_many("pay-begin", invoice.ref, BEGUN):
        return page(request, invoice, token, visitor, _("Too many tries. Please wait an hour."), status=429)
    try:
        gateway, method = _chosen(request, invoice, visitor)
        by = visitor.actor if visitor is not None else paying.PAY_PAGE
        attempt = paying.begin(invoice, gateway, method, by=by, at=clock.now(invoice.company))
    except Refused as refused:
        return page(request, invoice, token, visitor, refused.message, status=422)
    return redirect(paying.way_on(attempt))


def _chosen(request: HttpRequest, invoice: Invoice, visitor: Visitor | None) -> tuple[Gateway, PaymentMethod | None]:
    """The way that the button names; only ways that the page offers."""
    wanted = request.POST.get("way", "")
    for way in paying.ways(invoice, "-", visitor):
        if not way.url and wanted == way.ref:
            return way.gateway, way.method
    raise Refused("not_found", field="way")


def page(
    request: HttpRequest, invoice: Invoice, token: str, visitor: Visitor | None, problem: str = "", *, status: int = 200
) -> HttpResponse:
    """The pay page as the invoice stands now."""
    balance = invoice.balance
    balance.refresh_from_db()
    alive = attempts.live_of(invoice.pk)
    stand = paying.standing(invoice, balance, alive)
    is_open = stand == "open"
    context = {
        **face(invoice.company),
        "row": invoice,
        "balance": balance,
        "stand": stand,
        "settled_minor": balance.gross_minor - balance.open_minor if stand in ("open", "under_way") else 0,
        "is_late": balance.payment_due_on < clock.today(invoice.company),
        "lines": _lines(invoice),
        "alive": alive,
        "go_on": paying.way_on(alive) if alive is not None and _waits(alive) else "",
        "ways": paying.ways(invoice, token, visitor) if is_open else [],
        "transfer": paying.transfer(invoice, balance.open_minor) if is_open else None,
        "problem": problem,
        "visitor": visitor,
        "token": token,
        "login_url": f"{reverse('account_login')}?next={request.path}",
    }
    return render(request, "portal/pay.html", context, status=status)


def _waits(attempt: Attempt) -> bool:
    """Whether the customer can go on with it on the provider's page."""
    return attempt.state == State.REQUIRES_ACTION and bool(attempt.action_url)


def _lines(invoice: Invoice) -> list[dict[str, Any]]:
    rows = invoice.lines.order_by("position")
    return [{"row": row, "period": standing.period(row.period_start, row.period_end, invoice.currency)} for row in rows]


@require_safe
@public
def on(request: HttpRequest, attempt: str) -> HttpResponse:
    """On to the provider's page, by a page of ours: forms of this site lead nowhere else."""
    row = pay_links.read_attempt(attempt)
    if _waits(row):
        return _way_on(request, row.invoice.company, row.action_url, row.gateway.get_kind_display())
    if row.state in (State.CREATED, State.SENT) and _again(request) < MOMENTS:
        return _stands(request, row, "moment")
    return redirect("pay-back", attempt=attempt, what="paid")


@require_safe
@public
def go(request: HttpRequest) -> HttpResponse:
    """On to the provider's page on which a method is saved; its address is kept in the session."""
    kept = request.session.get(ON)
    if not kept:
        raise Refused("pay_link.invalid")
    from core.models import Company

    company = Company.objects.get(pk=kept["company"])
    return _way_on(request, company, kept["url"], Gateway.Kind(kept["kind"]).label)


def leave_to(request: HttpRequest, gateway: Gateway, url: str) -> HttpResponse:
    """Answers a POST whose next page is the provider's."""
    request.session[ON] = {"url": url, "kind": gateway.kind, "company": gateway.company_id}
    return redirect("pay-go")


def _way_on(request: HttpRequest, company: Any, url: str, name: Any) -> HttpResponse:
    return render(request, "portal/pay_on.html", {**face(company), "url": url, "name": name})


@require_safe
@public
def back(request: HttpRequest, attempt: str, what: str) -> HttpResponse:
    """How a payment stands, asked of the provider when its page says it is done."""
    row = pay_links.read_attempt(attempt)
    asks = what == "paid" and row.state not in attempts.CLOSED and row.collect_on is None
    if asks and not too_many("pay-look", row.ref, LOOKED):
        row = sending.look_up(attempt_id=row.pk, at=clock.now(row.invoice.company))
    return _stands(request, row, "left" if what == "left" else "")


def _stands(request: HttpRequest, row: Attempt, what: str) -> HttpResponse:
    state = row.state
    if state == State.CREATED and row.collect_on is not None:
        state = "announced"
    balance = row.invoice.balance
    balance.refresh_from_db()
    waits = what == "moment" or state in (State.SENT, State.UNKNOWN)
    context = {
        **face(row.invoice.company),
        "attempt": row,
        "row": row.invoice,
        "state": state,
        "what": what,
        "is_paid": balance.status == "paid",
        "reason": paying.reason_of(row),
        "refresh": f"?again={_again(request) + 1}" if waits and _again(request) < MOMENTS else "",
        "go_on": paying.way_on(row) if _waits(row) else "",
        "pay_url": paying.pay_page_of(row),
        "language": get_language(),
    }
    return render(request, "portal/pay_back.html", context)


def _again(request: HttpRequest) -> int:
    text = request.GET.get("again", "0")
    return int(text) if text.isdecimal() and len(text) < 4 else MOMENTS
