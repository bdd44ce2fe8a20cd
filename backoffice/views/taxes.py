"""Tax categories, the dated table of rates, what a late rate touches, and the reference rates of currencies."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from backoffice import exports
from backoffice.acting import actor, done, may, now, own, show_refusal, tells_refusals, today
from backoffice.forms.catalog import RateCorrectionForm, RateFilter, TaxRateForm
from backoffice.forms.fields import country_name
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from billing.models import ExchangeRate
from billing.services import rate_corrections
from catalog.models import TaxCategory, TaxRate
from catalog.services import taxes as verbs
from catalog.services.territories import name_of
from core.refusal import Refused
from core.rights import needs

SHOWN = 200


@needs("catalog.read")
def index(request: HttpRequest) -> HttpResponse:
    form = RateFilter(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = own(request, TaxRate)
    for name in ("country", "level", "origin"):
        if chosen.get(name):
            rows = rows.filter(**{name: chosen[name]})
    if chosen.get("checked"):
        rows = rows.filter(is_checked=chosen["checked"] == "yes")
    if not chosen.get("level"):
        rows = rows.exclude(level__in=["zero", "exempt"])
    if exports.is_asked(request):
        return _file(request, rows)
    listed = listing(
        request, rows, sorts={"country": "country", "valid": "valid_from", "percent": "percent"}, default="country",
        form=form,
    )  # fmt: skip
    for row in listed.rows:
        row.country_name, row.region_name = country_name(row.country), name_of(row.country, row.region)
    context = {
        "title": _("Taxes"),
        "crumbs": crumbs((_("Settings"), reverse("backoffice:settings")), (_("Taxes"), "")),
        "list": listed,
        "categories": own(request, TaxCategory).order_by("code"),
        "search_name": "",
        "today": today(request),
        "exports": True,
    }
    return page(request, "settings/taxes", context)


def _file(request: HttpRequest, rows: QuerySet[TaxRate]) -> HttpResponse:
    head = ["country", "region", "level", "percent", "valid_from", "kind_of_place", "origin", "checked", "source"]
    cells = (
        [
            row.country, row.region, row.level, row.percent, row.valid_from, row.tax_category, row.origin,
            row.is_checked, row.source,
        ]
        for row in rows.order_by("country", "region", "level", "valid_from").iterator()
    )  # fmt: skip
    return exports.response(request, "tax-rates", _("Taxes"), head, cells)  # type: ignore[return-value]


@needs("catalog.write")
def create(request: HttpRequest) -> HttpResponse:
    initial = {"country": request.company.country, "level": "standard", "valid_from": today(request)}
    form = TaxRateForm(request.POST or None, initial=initial)
    back = reverse("backoffice:taxes")
    if request.method == "POST" and form.is_valid():
        try:
            rate = verbs.set_rate(company=request.company, **form.cleaned_data, by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            if rate_corrections.touched_lines(request.company, rate).exists():
                said = _("The rate is kept. Documents issued before bear another one; they can be corrected below.")
                return done(request, said, "tax-rate", rate.ref)
            return done(request, _("The rate is kept; documents issued before keep theirs."), back)
    trail = crumbs((_("Settings"), reverse("backoffice:settings")), (_("Taxes"), back), (_("New rate"), ""))
    context = {"title": _("New rate"), "crumbs": trail, "form": form, "back": back}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("catalog.write")
@require_POST
@tells_refusals(lambda: reverse("backoffice:taxes"))
def bring_up_to_date(request: HttpRequest) -> HttpResponse:
    added = verbs.bring_up_to_date(company=request.company, by=actor(request), at=now(request))
    said = ngettext("%(count)s rate was added.", "%(count)s rates were added.", len(added)) % {"count": len(added)}
    return done(request, said if added else _("The table is up to date."), "taxes")


class CorrectionForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=500, help_text=gettext_lazy("Printed on the credit notes.")
    )


@needs("catalog.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    """A rate: its source, its figure to be corrected, and the issued lines it touches, to be corrected in one batch."""
    rate = verbs.by_ref(request.company, ref)
    if rate is None:
        raise Http404
    step = request.POST.get("step", "")
    if request.method == "POST" and not may(request, "catalog.write" if step == "figure" else "invoice.issue"):
        raise Http404
    form = RateCorrectionForm(
        request.POST if step == "figure" else None, initial={"percent": rate.percent, "source": rate.source}
    )
    if step == "figure" and form.is_valid():
        try:
            verbs.correct_rate(rate=rate, **form.cleaned_data, by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The rate is corrected."), "tax-rate", ref)
    reason = CorrectionForm(request.POST if step in ("preview", "do") else None)
    outcome, refused_words, token = None, "", request.POST.get("preview_token")
    if step in ("preview", "do") and reason.is_valid():

        def act(token: str | None = None) -> list[rate_corrections.Corrected]:
            return rate_corrections.correct(
                company=request.company, rate=rate, reason=reason.cleaned_data["reason"], by=actor(request),
                at=now(request), preview_token=token,
            )  # fmt: skip

        try:
            if step == "do" and token:
                count = sum(one.note is not None for one in act(token))
                said = ngettext("%(count)s invoice was corrected.", "%(count)s invoices were corrected.", count)
                return done(request, said % {"count": count}, "tax-rate", ref)
        except Refused as refused:
            refused_words = refused.message
        try:
            outcome = rate_corrections.preview(act)
        except Refused as refused:
            refused_words = refused.message
    touched = rate_corrections.touched(request.company, rate, SHOWN)
    full = len(touched) == SHOWN
    title = f"{country_name(rate.country)} {rate.region} {rate.get_level_display()}".replace("  ", " ")
    context: dict[str, Any] = {
        "title": title,
        "crumbs": crumbs(
            (_("Settings"), reverse("backoffice:settings")), (_("Taxes"), reverse("backoffice:taxes")), (title, "")
        ),
        "rate": rate,
        "region_name": name_of(rate.country, rate.region),
        "form": form,
        "reason": reason,
        "touched": touched,
        "touched_count": rate_corrections.touched_lines(request.company, rate).count() if full else len(touched),
        "outcome": outcome,
        "token": rate_corrections.token_of(outcome) if outcome is not None else "",
        "sums": rate_corrections.totals(outcome) if outcome is not None else {},
        "refused": refused_words,
        "may_change": may(request, "catalog.write"),
        "may_correct": may(request, "invoice.issue"),
    }
    failed = form.errors or reason.errors or refused_words
    return page(request, "settings/tax_rate", context, status=422 if failed else 200)


@needs("settings.read")
def exchange_rates(request: HttpRequest) -> HttpResponse:
    """The newest reference rates. They are one table for all companies, so no company loads them."""
    newest = ExchangeRate.objects.order_by("currency", "-day").distinct("currency")
    title = _("Exchange rates")
    context = {
        "title": title,
        "crumbs": crumbs((_("Settings"), reverse("backoffice:settings")), (title, "")),
        "lead": _("Reference rates of the European Central Bank: units of the currency for one euro."),
        "rates": newest,
    }
    return page(request, "settings/exchange_rates", context)
