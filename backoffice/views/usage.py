"""Usage: meters, events as a file, and what a subscription has used."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.usage import MeterForm, UsageFileForm
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from backoffice.views.products import named
from billing.services import current_usage, using
from billing.services.current_usage import CurrentUsage
from catalog.models import Meter
from catalog.services import meters as verbs
from core.design import formats
from core.design.charts import Chart, Series, bar_chart
from core.refusal import Refused
from core.rights import needs
from subscriptions.models import Subscription, UsageRefusal
from subscriptions.services import usage_files

ONE_DAY = timedelta(days=1)
#: Longer periods are shown as a table alone.
MOST_BARS = 92
SHOWN_REFUSALS = 50
SHOWN_LINES = 200


@needs("catalog.read")
def meters(request: HttpRequest) -> HttpResponse:
    rows = own(request, Meter).filter(archived_at__isnull=request.GET.get("archived") != "only")
    listed = listing(request, rows, sorts={"code": "code"}, default="code")
    for row in listed.rows:
        row.shown_name = named(request, row.name)
    return page(request, "usage/meters", {"title": _("Meters"), "list": listed, "search_name": ""})


def _form(request: HttpRequest, form: MeterForm, title: str) -> HttpResponse:
    above = (_("Meters"), reverse("backoffice:meters"))
    context = {"title": title, "crumbs": crumbs(above, (title, "")), "form": form, "back": above[1]}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("catalog.write")
def create_meter(request: HttpRequest) -> HttpResponse:
    form = MeterForm(request.POST or None, company=request.company, is_new=True, initial={"late_days": verbs.LATE_DAYS})
    if request.method == "POST" and form.is_valid():
        try:
            meter = verbs.create_meter(company=request.company, **form.values(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("%(code)s counts usage now.") % {"code": meter.code}, "meters")
    return _form(request, form, _("New meter"))


@needs("catalog.write")
def edit_meter(request: HttpRequest, ref: str) -> HttpResponse:
    meter = found(own(request, Meter), ref)
    initial = MeterForm.initial_of(meter)
    form = MeterForm(request.POST or None, company=request.company, is_new=False, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            verbs.update_meter(meter=meter, changes=form.values(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The changes are saved."), "meters")
    return _form(request, form, _("Edit meter"))


@needs("catalog.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:meters"))
def archive_meter(request: HttpRequest, ref: str) -> HttpResponse:
    meter = found(own(request, Meter), ref)
    by, at = actor(request), now(request)
    if request.POST.get("restore"):
        verbs.restore_meter(meter=meter, by=by, at=at)
        return done(request, _("The meter takes events again."), "meters")
    verbs.archive_meter(meter=meter, by=by, at=at)
    return done(request, _("The meter takes no new events; what came in is billed."), "meters")


@needs("usage.write")
def upload(request: HttpRequest) -> HttpResponse:
    """Events as a file: checked, or counted; every line that does not count is named."""
    form = UsageFileForm(request.POST or None, request.FILES or None)
    outcome = None
    if request.method == "POST" and form.is_valid():
        sent, dry_run = form.cleaned_data["file"], form.cleaned_data["dry_run"]
        try:
            outcome = using.take_in_file(
                company=request.company, content=sent.read(), file_name=sent.name, at=now(request), by=actor(request),
                dry_run=dry_run,
            )  # fmt: skip
        except Refused as refused:
            show_refusal(form, refused)
    title = _("Usage from a file")
    context: dict[str, Any] = {
        "title": title,
        "crumbs": crumbs((_("Meters"), reverse("backoffice:meters")), (title, "")),
        "form": form,
        "submit": _("Send"),
        "upload": True,
        "outcome": outcome,
        "checked_only": outcome is not None and form.cleaned_data["dry_run"],
    }
    if outcome is not None:
        context["refused"] = [(line, usage_files.message_of(bad)) for line, bad in outcome.refused[:SHOWN_LINES]]
    return page(request, "usage/upload", context, status=422 if form.errors else 200)


@needs("usage.read")
def of_subscription(request: HttpRequest, ref: str) -> HttpResponse:
    """What a subscription has used in the running period, by day, what it costs so far, and what does not count."""
    rows = own(request, Subscription).select_related("customer", "company")
    subscription = found(rows, ref)
    used = current_usage.current(subscription, now(request))
    refusals = list(
        UsageRefusal.objects.filter(subscription=subscription).select_related("meter").order_by("-pk")[:SHOWN_REFUSALS]
    )
    for row in refusals:
        row.words = Refused(row.code).message  # type: ignore[attr-defined]
    title = _("Usage")
    context = {
        "title": title,
        "crumbs": crumbs(
            (_("Subscriptions"), reverse("backoffice:subscriptions")),
            (subscription.number, reverse("backoffice:subscription", args=[ref])),
            (title, ""),
        ),
        "subscription": subscription,
        "used": [_shown(request, one) for one in used],
        "refusals": refusals,
    }
    return page(request, "usage/subscription", context)


def _shown(request: HttpRequest, one: CurrentUsage) -> dict[str, Any]:
    unit = named(request, one.slot.meter.unit_name or {}) if one.slot.meter else ""
    name = named(request, one.slot.product.name)
    return {"name": name, "unit": unit, "of": one, "last_on": one.end - ONE_DAY, "chart": _chart(one, name)}


def _chart(one: CurrentUsage, name: str) -> Chart | None:
    """A bar a day of the period, up to the last day with events; none without events or where there are too many."""
    if not one.days or (one.end - one.start).days > MOST_BARS:
        return None
    by_day = {day.day: day.quantity for day in one.days}
    days = [one.start + timedelta(days=n) for n in range((one.end - one.start).days)]
    return bar_chart(
        title=_("%(name)s by day") % {"name": name},
        labels=[formats.day(day, style="short") for day in days],
        series=[Series(_("Quantity"), [by_day.get(day, 0) for day in days])],
        value=formats.number,
    )
