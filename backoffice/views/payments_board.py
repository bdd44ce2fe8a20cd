"""All money in one place: what came, is under way, late, failed, taken back or given back, with acts on many rows."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from backoffice import exports, finding
from backoffice.acting import actor, found, now, on_button, own, today
from backoffice.forms.money import MoneyFilter
from backoffice.lists import PAGE, Listing, chips_of, without
from backoffice.pages import crumbs, page
from billing.gateways import reasons
from billing.models import Attempt, Payment, Refund, Reversal
from billing.services import collecting_many, money_rows
from core.refusal import Refused
from core.rights import needs
from customers.models import Customer

#: The look of each state; see `core.design.states`.
LOOKS: Final = {"received": "settled", "late": "overdue", "canceled": "not_paid", "refunding": "pending"}
WAYS: Final = dict(Payment.Method.choices)
EXPORTED: Final = 1000
#: Acts on many rows that move money: their sum stands on the button.
MOVES: Final = ("retry", "record")


def board(request: HttpRequest, tabs: list[dict[str, Any]]) -> HttpResponse:
    """The page; `tabs` are the lists beside it."""
    form, q = MoneyFilter(request.GET), request.GET.get("q", "")
    chosen = form.cleaned_data if form.is_valid() else {}
    filters = money_rows.Filters(
        states=frozenset({chosen["state"]}) if chosen.get("state") else frozenset(),
        way=chosen.get("way", ""),
        currency=chosen.get("currency", ""),
        customers=_customers(request, q),
        first=chosen.get("on_from"),
        last=chosen.get("on_to"),
    )
    if exports.is_asked(request):
        return _file(request, filters)
    on = today(request)
    totals = money_rows.totals(request.company, filters, on)
    listed = _page(request, filters, on, sum(total.count for total in totals))
    listed.form, listed.q, listed.chips = form, q, chips_of(request, form)
    if filters.customers is not None and not q:
        customer = own(request, Customer).get(pk__in=filters.customers)
        listed.chips.append(
            {"label": _("Customer"), "op": "", "value": customer.name,
             "remove_url": without(request.GET, "customer")}
        )  # fmt: skip
    listed.tabs = tabs
    context = {
        "title": _("Payments"),
        "list": listed,
        "exports": True,
        "totals": [_total(request, total) for total in totals],
        "acts": collecting_many.ACTS.items(),
    }
    return page(request, "payments/board", context)


def _customers(request: HttpRequest, q: str) -> list[int] | None:
    """The customers a text or a link means; None: all."""
    if q.strip():
        return finding.followed(request.company, q)
    ref = request.GET.get("customer", "")
    return [found(own(request, Customer), ref).pk] if ref else None


def _page(request: HttpRequest, filters: money_rows.Filters, on: date, total: int) -> Listing:
    before, after = _place(request.GET.get("before", "")), _place(request.GET.get("after", ""))
    turned = before is not None
    rows = money_rows.page(request.company, filters, on, size=PAGE + 1, place=before or after, turned=turned)
    more, rows = len(rows) > PAGE, rows[:PAGE]
    if turned:
        rows.reverse()
    has_next = bool(rows) and (turned or more)
    has_previous = bool(rows) and (more if turned else after is not None)
    for row in rows:
        _told(row)
    return Listing(
        rows=rows, sort="", total=total, about=False,
        next_url=_url(request, after=_token(rows[-1])) if has_next else "",
        previous_url=_url(request, before=_token(rows[0])) if has_previous else "",
    )  # fmt: skip


def _token(row: money_rows.Row) -> str:
    return f"{row.on.isoformat()}.{row.rank}.{row.pk}"


def _place(token: str) -> tuple[date, int, int] | None:
    day, _dot, rest = token.partition(".")
    rank, _dot, pk = rest.partition(".")
    if not (rank.isascii() and rank.isdigit() and pk.isascii() and pk.isdigit() and len(rank) < 3 and len(pk) < 19):
        return None
    try:
        return date.fromisoformat(day), int(rank), int(pk)
    except ValueError:
        return None


def _url(request: HttpRequest, **place: str) -> str:
    kept = without(request.GET)
    name, value = next(iter(place.items()))
    return f"{kept}{'&' if len(kept) > 1 else ''}{name}={value}"


_WORDS: Final[dict[str, Any]] = {
    "attempt": Attempt.State, "payment": Payment.Status, "reversal": Reversal.State, "refund": Refund.Status,
}  # fmt: skip


def _told(row: Any) -> None:
    """Adds what a person reads: words for codes, where the row leads."""
    row.look = LOOKS.get(row.state, row.state)
    row.word = str(money_rows.STATES[row.state])
    more = _WORDS.get(row.kind)
    row.more = str(more(row.detail).label) if more and row.state in ("pending", "disputed", "refunding") else ""
    row.way_word = capfirst(WAYS.get(row.way, ""))
    row.reason_word = reasons.words_of(row.reason) if row.reason else ""
    row.url = _address(row)
    row.can_act = row.kind in ("attempt", "invoice")


def _address(row: money_rows.Row) -> str:
    if row.kind == "payment":
        return reverse("backoffice:payment", args=[row.ref])
    if row.kind == "attempt":
        return reverse("backoffice:attempt", args=[row.ref])
    if row.kind == "invoice":
        return reverse("backoffice:invoice", args=[row.ref])
    if row.payment_ref:
        return reverse("backoffice:payment", args=[row.payment_ref])
    if row.customer_ref:
        return reverse("backoffice:customer", args=[row.customer_ref]) + "?tab=payments"
    return reverse("backoffice:payments")


def _total(request: HttpRequest, total: money_rows.Total) -> dict[str, Any]:
    query = request.GET.copy()
    for gone in ("after", "before"):
        query.pop(gone, None)
    query["state"], query["currency"] = total.state, total.currency
    return {
        "state": LOOKS.get(total.state, total.state), "word": str(money_rows.STATES[total.state]),
        "count": total.count, "minor": total.minor, "currency": total.currency, "url": "?" + query.urlencode(),
    }  # fmt: skip


def _file(request: HttpRequest, filters: money_rows.Filters) -> HttpResponse:
    head = ["id", "kind", "day", "state", "detail", "customer_id", "customer", "invoice", "method", "currency",
            "amount", "reason"]  # fmt: skip
    on = today(request)

    def rows() -> Any:
        place = None
        while found_rows := money_rows.page(request.company, filters, on, size=EXPORTED, place=place):
            place = found_rows[-1].place
            for row in found_rows:
                yield [row.ref, row.kind, row.on, row.state, row.detail, row.customer_ref, row.customer, row.number,
                       row.way, row.currency, exports.amount(row.minor, row.currency), row.reason]  # fmt: skip

    return exports.response(request, "money", _("Payments"), head, rows())  # type: ignore[return-value]


@needs("payment.write")
@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """What an act would do with the rows that were checked, and which it would pass over; then the act."""
    act, refs = request.POST.get("act", ""), request.POST.getlist("row")
    back = reverse("backoffice:payments")
    if not refs or act not in collecting_many.ACTS:
        return redirect(back)
    try:
        if request.POST.get("step") == "do":
            rows = collecting_many.carry_out(
                company=request.company, act=act, refs=refs, by=actor(request), at=now(request)
            )
        else:
            rows = collecting_many.plan(company=request.company, act=act, refs=refs)
    except Refused as refused:
        messages.error(request, refused.message)
        return redirect(back)
    is_done = request.POST.get("step") == "do"
    doing, skipped = [row for row in rows if not row.skipped], [row for row in rows if row.skipped]
    if is_done and doing:
        text = ngettext("%(count)s row is done.", "%(count)s rows are done.", len(doing)) % {"count": len(doing)}
        messages.success(request, text)
    if is_done and not skipped:
        return redirect(back)
    sums: dict[str, int] = {}
    for row in doing:
        sums[row.invoice.currency] = sums.get(row.invoice.currency, 0) + row.minor
    title = str(collecting_many.ACTS[act])
    context = {
        "title": title, "crumbs": crumbs((_("Payments"), back), (title, "")), "act": act, "doing": doing,
        "skipped": skipped, "sums": sums, "back": back, "is_done": is_done,
        "act_url": reverse("backoffice:payments-bulk"), "rows_template": "office/payments/bulk_rows.html",
        **on_button(sums if act in MOVES else {}),
    }  # fmt: skip
    return page(request, "bulk", context)
