"""The company's settings: its own columns, logo, numbering; and which company is worked in."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, now, show_refusal
from backoffice.forms.fields import country_name
from backoffice.forms.settings import CompanyForm, LogoForm, NumberingForm
from backoffice.pages import crumbs, page
from core.middleware import COMPANY_KEY
from core.models import NumberSeries
from core.refusal import Refused
from core.rights import needs
from core.services import company as verbs

#: The other pages of the settings: name of the address, icon, title, what it is about, the right it takes.
WAYS = (
    ("taxes", "percent", gettext_lazy("Taxes"), gettext_lazy("categories and rates"), ""),
    ("numbering", "hash", gettext_lazy("Numbering"), "", ""),
    ("gateways", "credit-card", gettext_lazy("Gateways"), gettext_lazy("how money is taken"), ""),
    (
        "dunning-policies",
        "life-buoy",
        gettext_lazy("Dunning"),
        gettext_lazy("what happens when money doesn't come"),
        "",
    ),
    (
        "mail-texts",
        "pencil",
        gettext_lazy("Texts of mails"),
        gettext_lazy("in five languages, and your signature"),
        "reminder.read",
    ),
    ("mail-sender", "mail", gettext_lazy("Mail"), gettext_lazy("sender, answers, looks"), ""),
    ("people", "users", gettext_lazy("People and roles"), "", ""),
    ("keys", "key-round", gettext_lazy("API keys"), "", ""),
    ("audit", "history", gettext_lazy("Audit log"), "", ""),
    (
        "sandboxes",
        "flask-conical",
        gettext_lazy("Sandboxes"),
        gettext_lazy("test companies with a clock of their own"),
        "sandbox.open",
    ),
    (
        "alert-rules",
        "bell",
        gettext_lazy("Alert rules"),
        gettext_lazy("who hears of what, and what becomes a task"),
        "",
    ),
    ("timetable", "clock", gettext_lazy("Timetable"), gettext_lazy("what is done by itself, and when"), ""),
    (
        "webhooks",
        "webhook",
        gettext_lazy("Webhooks"),
        gettext_lazy("other systems that are told what happens"),
        "webhook.read",
    ),
    ("ties", "refresh-cw", gettext_lazy("Ties"), gettext_lazy("newsletter and sales systems that are kept up"), ""),
    ("outbox", "send", gettext_lazy("Outbox"), gettext_lazy("mails and other effects that failed"), ""),
)


@needs("settings.read")
def index(request: HttpRequest) -> HttpResponse:
    company = request.company
    company.country_name = country_name(company.country)
    ways = [
        {"url": reverse(f"backoffice:{name}"), "icon": icon, "label": label, "note": note}
        for name, icon, label, note, right in WAYS
        if not right or right in request.rights
    ]
    return page(request, "settings/index", {"title": _("Settings"), "ways": ways, "logo_form": LogoForm()})


def _above(title: str) -> list:  # type: ignore[type-arg]
    return crumbs((_("Settings"), reverse("backoffice:settings")), (title, ""))


@needs("settings.write")
def edit_company(request: HttpRequest) -> HttpResponse:
    company = request.company
    form = CompanyForm(request.POST or None, company=company, initial=CompanyForm.initial_of(company))
    if request.method == "POST" and form.is_valid():
        try:
            verbs.update_company(company=company, changes=form.values(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The settings are saved."), "settings")
    title = _("Company")
    context = {"title": title, "crumbs": _above(title), "form": form, "back": reverse("backoffice:settings")}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("settings.read")
def numbering(request: HttpRequest) -> HttpResponse:
    company = request.company
    initial = {"invoice_pattern": company.invoice_pattern, "credit_note_pattern": company.credit_note_pattern}
    form = NumberingForm(request.POST or None, initial=initial)
    if request.method == "POST":
        if "settings.write" not in request.rights:
            raise Http404
        if form.is_valid():
            try:
                verbs.update_company(company=company, changes=form.cleaned_data, by=actor(request), at=now(request))
            except Refused as refused:
                show_refusal(form, refused)
            else:
                return done(request, _("New documents are numbered by these patterns."), "numbering")
    context = {
        "title": _("Numbering"),
        "crumbs": _above(_("Numbering")),
        "form": form,
        "series": NumberSeries.objects.filter(company=company).order_by("-year", "series"),
    }
    return page(request, "settings/numbering", context, status=422 if form.errors else 200)


@needs("settings.write")
@require_POST
def set_logo(request: HttpRequest) -> HttpResponse:
    form = LogoForm(request.POST, request.FILES)
    if form.is_valid():
        upload = form.cleaned_data["logo"]
        try:
            verbs.set_logo(
                company=request.company,
                name=upload.name,
                content=upload.read(verbs.LOGO_BYTES + 1),
                by=actor(request),
                at=now(request),
            )
        except Refused as refused:
            form.add_error("logo", refused.message)
        else:
            return done(request, _("The logo is kept; documents show it from now on."), "settings")
    return page(request, "settings/index", {"title": _("Settings"), "logo_form": form}, status=422)


@needs("settings.read")
def logo(request: HttpRequest) -> HttpResponse:
    stored = request.company.logo
    if stored is None:
        raise Http404
    response = HttpResponse(bytes(stored.content), content_type=stored.media_type)
    # A drawing may hold scripts; shown on its own it gets no rights at all.
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    response["Cache-Control"] = "private, max-age=300"
    return response


@needs("customer.read")
@require_POST
def switch_company(request: HttpRequest) -> HttpResponseRedirect:
    """Goes on in another company the person works for."""
    wanted = request.POST.get("company", "")
    for company in request.companies:
        if wanted in (str(company.pk), company.ref):
            request.session[COMPANY_KEY] = company.pk
            messages.success(request, _("You now work in %(name)s.") % {"name": company.name})
            return redirect("backoffice:home")
    raise Http404
