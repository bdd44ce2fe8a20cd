"""Tax categories and the dated table of rates."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice.acting import actor, done, now, own, show_refusal, today
from backoffice.forms.catalog import RateFilter, TaxRateForm
from backoffice.forms.fields import country_name
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from catalog.models import TaxCategory, TaxRate
from catalog.services import taxes as verbs
from core.refusal import Refused
from core.rights import needs


@needs("catalog.read")
def index(request: HttpRequest) -> HttpResponse:
    form = RateFilter(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = own(request, TaxRate)
    for name in ("country", "level"):
        if chosen.get(name):
            rows = rows.filter(**{name: chosen[name]})
    if not chosen.get("level"):
        rows = rows.exclude(level__in=["zero", "exempt"])
    listed = listing(
        request, rows, sorts={"country": "country", "valid": "valid_from", "percent": "percent"}, default="country",
        form=form,
    )  # fmt: skip
    for row in listed.rows:
        row.country_name = country_name(row.country)
    context = {
        "title": _("Taxes"),
        "crumbs": crumbs((_("Settings"), reverse("backoffice:settings")), (_("Taxes"), "")),
        "list": listed,
        "categories": own(request, TaxCategory).order_by("code"),
        "search_name": "",
        "today": today(request),
    }
    return page(request, "settings/taxes", context)


@needs("catalog.write")
def create(request: HttpRequest) -> HttpResponse:
    initial = {"country": request.company.country, "level": "standard", "valid_from": today(request)}
    form = TaxRateForm(request.POST or None, initial=initial)
    back = reverse("backoffice:taxes")
    if request.method == "POST" and form.is_valid():
        try:
            verbs.set_rate(company=request.company, **form.cleaned_data, by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The rate is kept; documents issued before keep theirs."), back)
    trail = crumbs((_("Settings"), reverse("backoffice:settings")), (_("Taxes"), back), (_("New rate"), ""))
    context = {"title": _("New rate"), "crumbs": trail, "form": form, "back": back}
    return page(request, "form", context, status=422 if form.errors else 200)
