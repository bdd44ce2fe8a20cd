"""Bank statements: read in, their lines confirmed, chosen, set aside or undone, balances checked."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from backoffice import finding
from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.bank import AsideForm, ChooseForm, LineFilter, StatementForm
from backoffice.lists import listing, tabs_of
from backoffice.pages import Crumb, crumbs, page
from billing.models import BankLine, BankStatement, Invoice
from billing.services import bank_lines, matching, statement_jobs, statements
from core.design import formats
from core.models import Job
from core.refusal import Refused
from core.rights import needs
from customers.models import Customer

VIEWS: Final = (("", gettext_lazy("To be settled")), ("all", gettext_lazy("All lines")),
                ("statements", gettext_lazy("Statements")))  # fmt: skip
UNSETTLED: Final = (BankLine.State.OPEN, BankLine.State.SUGGESTED)
LOOKS: Final = {"open": "due", "suggested": "held", "matched": "done", "ignored": "skipped"}
BACK: Final = "backoffice:bank"


def _lines(request: HttpRequest) -> Any:
    return own(request, BankLine).select_related("statement", "customer", "invoice", "payment", "company")


@needs("payment.read")
def index(request: HttpRequest) -> HttpResponse:
    view = request.GET.get("view", "")
    if view == "statements":
        return _statements(request)
    form = LineFilter(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = _lines(request)
    if view != "all":
        view, rows = "", rows.filter(state__in=UNSETTLED)
    lookups = {"state": "state", "on_from": "booked_on__gte", "on_to": "booked_on__lte"}
    for name, lookup in lookups.items():
        if chosen.get(name):
            rows = rows.filter(**{lookup: chosen[name]})
    listed = listing(request, rows, sorts={"booked": "booked_on"}, default="-booked", form=form)
    listed.tabs = tabs_of(request, "view", VIEWS, view)
    _told(listed.rows)
    context = {"title": _("Bank"), "list": listed, "search_name": "", "view": view}
    return page(request, "bank/lines", context)


def _told(rows: list[Any]) -> None:
    """Adds what a person reads: the look of its state, and the surest suggestion in words."""
    wanted = {pk for row in rows for kept in row.suggestions[:3] for pk in kept.get("invoices", ())}
    whose = {kept["customer"] for row in rows for kept in row.suggestions[:3] if kept.get("customer")}
    numbers = dict(Invoice.objects.filter(pk__in=wanted).values_list("pk", "number"))
    names = dict(Customer.objects.filter(pk__in=whose).values_list("pk", "name"))
    for row in rows:
        row.look = LOOKS.get(row.state, row.state)
        row.choices = [
            {
                "place": place,
                "percent": kept["percent"],
                "what": ", ".join(numbers.get(pk, "") for pk in kept.get("invoices", ()))
                or KINDS.get(kept["kind"], ""),
                "whose": names.get(kept.get("customer"), ""),
                "why": matching.words(matching.of_json(kept)),
            }
            for place, kept in enumerate(row.suggestions)
        ]


#: What a suggestion names when it names no invoice.
KINDS: Final = {
    "customer": gettext_lazy("the customer's oldest due invoices"),
    "payment": gettext_lazy("a payment recorded already"),
    "debit": gettext_lazy("a direct debit of ours"),
    "batch": gettext_lazy("a file of direct debits"),
    "return": gettext_lazy("a debit that came back"),
    "refund": gettext_lazy("a refund"),
    "refunds": gettext_lazy("a file of refunds"),
    "payout": gettext_lazy("a provider's payout"),
    "fee": gettext_lazy("a fee of the bank"),
}


def _statements(request: HttpRequest) -> HttpResponse:
    listed = listing(request, own(request, BankStatement), sorts={"read": "pk"}, default="-read")
    listed.tabs = tabs_of(request, "view", VIEWS, "statements")
    late = {after.pk: before for before, after in statements.gaps(request.company)}
    for row in listed.rows:
        row.gap = late.get(row.pk)
    context = {"title": _("Bank"), "list": listed, "search_name": "", "view": "statements"}
    return page(request, "bank/statements", context)


def _above(*steps: tuple[str, str]) -> list[Crumb]:
    return crumbs((_("Bank"), reverse(BACK)), *steps)


@needs("payment.write")
def read_in(request: HttpRequest) -> HttpResponse:
    """Reads a file of the bank in; what is certain is matched at once."""
    form = StatementForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            result = statement_jobs.take_in(
                company=request.company, data=file.read(), name=file.name,
                account=form.cleaned_data["account"].replace(" ", ""), currency=form.cleaned_data["currency"],
                by=actor(request), at=now(request),
            )  # fmt: skip
        except Refused as refused:
            show_refusal(form, refused)
        else:
            if isinstance(result, Job):
                return redirect("backoffice:job", result.ref)
            for problem in result.problems[:10]:
                messages.warning(request, f"{problem.place}: {Refused(problem.code, **problem.params).message}")
            text = _("%(new)s lines are new, %(known)s were known; %(matched)s are matched.") % {
                "new": result.new, "known": result.known, "matched": result.ended.get(BankLine.State.MATCHED, 0),
            }  # fmt: skip
            return done(request, text, "bank")
    title = _("Read a statement in")
    context = {
        "title": title, "crumbs": _above((title, "")), "form": form, "upload": True, "submit": title,
        "back": reverse(BACK), "lead": _("Lines that were read before add nothing."),
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("payment.read")
def statement(request: HttpRequest, ref: str) -> HttpResponse:
    row = found(own(request, BankStatement).select_related("file"), ref)
    lines = list(_lines(request).filter(statement=row).order_by("pk")[:500])
    _told(lines)
    total = sum(count for count, _minor in bank_lines.totals(row).values())
    turnover = sum(minor for _count, minor in bank_lines.totals(row).values())
    has_balances = row.opening_minor is not None and row.closing_minor is not None
    name = f"{row.get_format_display()} {row.number or (formats.day(row.until_on) if row.until_on else '')}".strip()
    context = {
        "title": name,
        "crumbs": _above((_("Statements"), reverse(BACK) + "?view=statements"), (name, "")),
        "statement": row,
        "rows": lines,
        "total": total,
        "turnover": turnover,
        "has_balances": has_balances,
        "adds_up": has_balances and row.closing_minor - row.opening_minor == turnover,
    }
    return page(request, "bank/statement", context)


def _line(request: HttpRequest, ref: str) -> BankLine:
    return found(_lines(request), ref)


def _to(ref: str) -> str:
    return reverse("backoffice:bank-line", args=[ref])


@needs("payment.read")
def line(request: HttpRequest, ref: str) -> HttpResponse:
    row = _line(request, ref)
    _told([row])
    context = {
        "title": _("Bank line"),
        "crumbs": _above((_("Bank line"), "")),
        "line": row,
        "is_open": row.state in UNSETTLED,
        "form": ChooseForm(),
    }
    return page(request, "bank/line", context)


@needs("payment.write")
@require_POST
@tells_refusals(_to)
def confirm(request: HttpRequest, ref: str) -> HttpResponse:
    row = _line(request, ref)
    place = request.POST.get("place", "0")
    kept = (
        row.suggestions[int(place)]
        if place.isascii() and place.isdigit() and int(place) < len(row.suggestions)
        else None
    )
    if kept is None:
        raise Refused("bank_line.choice")
    bank_lines.confirm(line=row, suggestion=kept, by=actor(request), at=now(request))
    return done(request, _("The line is settled."), "bank")


@needs("payment.write")
@require_POST
@tells_refusals(_to)
def choose(request: HttpRequest, ref: str) -> HttpResponse:
    """A person says what the line is: an invoice, a customer, of somebody unknown, a fee."""
    row, what = _line(request, ref), request.POST.get("what", "")
    common = {"line": row, "by": actor(request), "at": now(request)}
    if what == "unknown":
        bank_lines.choose(is_unknown=True, **common)
    elif what == "fee":
        bank_lines.choose(is_fee=True, **common)
    else:
        number = request.POST.get("number", "")
        invoice = finding.exact(request.company, Invoice, number)
        customer = finding.exact(request.company, Customer, number) if invoice is None else None
        if invoice is None and customer is None:
            messages.error(request, _("No invoice or customer has this number."))
            return redirect(_to(ref))
        if invoice is not None:
            bank_lines.choose(invoices=[invoice], **common)
        else:
            bank_lines.choose(customer=customer, **common)
    return done(request, _("The line is settled."), "bank")


def _reasoned(request: HttpRequest, ref: str, title: str, act: Any, text: str) -> HttpResponse:
    row = _line(request, ref)
    form = AsideForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            act(line=row, reason=form.cleaned_data["reason"], by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, text, _to(ref))
    context = {
        "title": title, "crumbs": _above((_("Bank line"), _to(ref)), (title, "")), "form": form, "submit": title,
        "back": _to(ref),
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("payment.write")
def set_aside(request: HttpRequest, ref: str) -> HttpResponse:
    return _reasoned(request, ref, _("Set the line aside"), bank_lines.set_aside, _("The line is set aside."))


@needs("payment.write")
def undo(request: HttpRequest, ref: str) -> HttpResponse:
    return _reasoned(request, ref, _("Undo the line"), bank_lines.undo, _("What the line did is taken back."))
