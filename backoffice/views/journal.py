"""The books: the journal with what caused each posting, accounts with their balances, and whether it all agrees."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from backoffice import exports
from backoffice.acting import actor, done, now, own, show_refusal, tells_refusals, today
from backoffice.forms.fields import CurrencyField, DayField
from backoffice.forms.sections import Section, SectionedForm
from backoffice.lists import listing, tabs_of
from backoffice.pages import Crumb, crumbs, page
from billing.models import Account, Claim, CreditNote, Invoice, Payment, Posting
from billing.models.books import CAUSES, cause_words
from billing.services import books, charts, ledger_check
from core.models import Company
from core.refusal import Refused
from core.rights import needs

VIEWS: Final = (("", gettext_lazy("Journal")), ("accounts", gettext_lazy("Accounts")))
#: Causes that have a page: their model and its name.
PAGES: Final[dict[str, tuple[Any, str]]] = {
    "invoice": (Invoice, "invoice"),
    "write_off": (Invoice, "invoice"),
    "credit_note": (CreditNote, "credit-note"),
    "payment": (Payment, "payment"),
}


class JournalFilter(forms.Form):
    cause = forms.ChoiceField(label=gettext_lazy("Cause"), required=False, choices=[("", "–"), *CAUSES.items()])
    currency = CurrencyField(required=False)
    on_from = DayField(label=gettext_lazy("Day|from"), required=False)
    on_to = DayField(label=gettext_lazy("Day|to"), required=False)

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account"] = forms.ModelChoiceField(
            label=gettext_lazy("Account"), queryset=Account.objects.filter(company=company), required=False,
            to_field_name="code",
        )  # fmt: skip


class AccountForm(SectionedForm):
    sections = (Section("", (("code", "name"),)),)

    code = forms.CharField(label=gettext_lazy("Number"), max_length=charts.CODE_MOST)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=charts.NAME_MOST)


@needs("report.read")
def index(request: HttpRequest) -> HttpResponse:
    if request.GET.get("view") == "accounts":
        return _accounts(request)
    form = JournalFilter(request.GET, company=request.company)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = own(request, Posting).select_related("account")
    lookups = {"cause": "cause_kind", "currency": "currency", "on_from": "booked_on__gte", "on_to": "booked_on__lte",
               "account": "account"}  # fmt: skip
    for name, lookup in lookups.items():
        if chosen.get(name):
            rows = rows.filter(**{lookup: chosen[name]})
    if exports.is_asked(request):
        return _file(request, rows)
    listed = listing(request, rows, sorts={"day": "booked_on"}, default="-day", form=form)
    listed.tabs = tabs_of(request, "view", VIEWS, "")
    _told(listed.rows)
    context = {
        "title": _("Ledger"),
        "list": listed,
        "search_name": "",
        "exports": True,
        "checks": sorted(ledger_check.check(request.company), key=lambda one: one.currency != request.company.currency),
    }
    return page(request, "journal/list", context)


def _told(rows: list[Any]) -> None:
    """Adds the words and the address of each cause, in one query a kind."""
    names: dict[tuple[str, int], tuple[str, str]] = {}
    for kind, (model, address) in PAGES.items():
        ids = {row.cause_id for row in rows if row.cause_kind == kind}
        if ids:
            for found in model.objects.filter(pk__in=ids):
                number = getattr(found, "number", "") or ""
                names[kind, found.pk] = (number, reverse(f"backoffice:{address}", args=[found.ref]))
    claims = {row.cause_id for row in rows if row.cause_kind == "claim"}
    for claim in Claim.objects.filter(pk__in=claims).select_related("case") if claims else ():
        names["claim", claim.pk] = ("", reverse("backoffice:dunning-case", args=[claim.case.ref]))
    for row in rows:
        row.cause = cause_words(row.cause_kind)
        row.number, row.url = names.get((row.cause_kind, row.cause_id), ("", ""))
        row.debit = row.amount_minor if row.amount_minor > 0 else None
        row.credit = -row.amount_minor if row.amount_minor < 0 else None


def _file(request: HttpRequest, rows: QuerySet[Posting]) -> HttpResponse:
    head = [
        "entry",
        "day",
        "account",
        "account_name",
        "currency",
        "debit",
        "credit",
        "cause",
        "cause_id",
        "customer_id",
    ]
    cells = (
        [row.entry, row.booked_on, row.account.code, row.account.words, row.currency,
         exports.amount(max(row.amount_minor, 0), row.currency),
         exports.amount(max(-row.amount_minor, 0), row.currency),
         row.cause_kind, row.cause_id, row.customer_id]
        for row in rows.order_by("-booked_on", "-pk").iterator(chunk_size=1000)
    )  # fmt: skip
    return exports.response(request, "journal", _("Ledger"), head, cells)  # type: ignore[return-value]


def _accounts(request: HttpRequest) -> HttpResponse:
    """Every account with its balance in each currency."""
    balances: dict[str, list[tuple[str, int]]] = {}
    sums: dict[str, int] = {}
    for code, _name, currency, minor in books.trial_balance(request.company, today(request)):
        balances.setdefault(code, []).append((currency, minor))
        sums[currency] = sums.get(currency, 0) + minor
    rows = list(Account.objects.filter(company=request.company).order_by("code"))
    for row in rows:
        row.balances = balances.get(row.code, [])  # type: ignore[attr-defined]
    context = {
        "title": _("Ledger"),
        "tabs": tabs_of(request, "view", VIEWS, "accounts"),
        "rows": rows,
        "sums": sums,
        "charts": Company.Chart.choices,
    }
    return page(request, "journal/accounts", context)


def _above(*steps: tuple[str, str]) -> list[Crumb]:
    return crumbs((_("Ledger"), reverse("backoffice:journal") + "?view=accounts"), *steps)


@needs("settings.write")
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    """Another number or name for an account; its postings stay."""
    account = Account.objects.filter(company=request.company, pk=pk).first()
    if account is None:
        raise Http404
    form = AccountForm(request.POST or None, initial={"code": account.code, "name": account.words})
    back = reverse("backoffice:journal") + "?view=accounts"
    if request.method == "POST" and form.is_valid():
        try:
            charts.rename(account=account, **form.cleaned_data, by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The account is renamed."), back)
    title = str(account)
    context = {"title": title, "crumbs": _above((title, "")), "form": form, "back": back}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("settings.write")
@require_POST
@tells_refusals(lambda: reverse("backoffice:journal") + "?view=accounts")
def choose_chart(request: HttpRequest) -> HttpResponse:
    charts.choose_chart(
        company=request.company, chart=request.POST.get("chart", ""), by=actor(request), at=now(request)
    )
    text = _("Accounts follow the other chart now; renamed ones stayed.")
    return done(request, text, reverse("backoffice:journal") + "?view=accounts")
