"""Webhook endpoints of the company with what they were sent: request, answer, sending again."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.webhooks import DeliveryFilter, EndpointForm, ResendForm, RotateForm
from backoffice.lists import listing
from backoffice.pages import Crumb, crumbs, page
from core import clock
from core.models import WebhookDelivery, WebhookEndpoint
from core.refusal import Refused
from core.rights import needs
from core.services import event_types, webhook_endpoints, webhook_resending
from core.services.webhook_requests import body_of
from core.services.webhook_resending import EndpointHealth


def _above(*steps: tuple[str, str]) -> list[Crumb]:
    top = (_("Webhooks"), reverse("backoffice:webhooks") if steps else "")
    return crumbs((_("Settings"), reverse("backoffice:settings")), top, *steps)


def _page_of(endpoint: WebhookEndpoint) -> tuple[str, str]:
    return endpoint.url, reverse("backoffice:webhook", args=[endpoint.ref])


def _state_of(endpoint: WebhookEndpoint) -> str:
    if not endpoint.is_active:
        return "stopped"
    return "failing" if endpoint.failing_since else "active"


@needs("webhook.read")
def index(request: HttpRequest) -> HttpResponse:
    rows = list(own(request, WebhookEndpoint).order_by("-is_active", "pk"))
    health = webhook_resending.health(company_id=request.company.pk)
    for row in rows:
        row.health = health.get(row.pk, EndpointHealth())
        row.state = _state_of(row)
    context = {"title": _("Webhooks"), "crumbs": _above(), "rows": rows}
    return page(request, "settings/webhooks", context)


@needs("webhook.write")
def create(request: HttpRequest) -> HttpResponse:
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            endpoint, secret = webhook_endpoints.create(
                company=request.company, by=actor(request), at=now(request), **form.values()
            )
        except Refused as refused:
            refused.field = form.field_of(refused.field)
            show_refusal(form, refused)
        else:
            # Shown on this very answer and nowhere else, as keys are.
            return _detail(request, endpoint, secret=secret)
    return _form(request, form, _("New endpoint"), reverse("backoffice:webhooks"), (_("New endpoint"), ""))


@needs("webhook.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    endpoint = found(own(request, WebhookEndpoint).select_related("company"), ref)
    form = EndpointForm(request.POST or None, initial=EndpointForm.initial_of(endpoint))
    if request.method == "POST" and form.is_valid():
        try:
            webhook_endpoints.update(endpoint=endpoint, by=actor(request), at=now(request), **form.values())
        except Refused as refused:
            refused.field = form.field_of(refused.field)
            show_refusal(form, refused)
        else:
            return done(request, _("The endpoint is saved."), "webhook", ref)
    return _form(request, form, _("Edit endpoint"), _page_of(endpoint)[1], _page_of(endpoint), (_("Edit"), ""))


@needs("webhook.write")
def rotate(request: HttpRequest, ref: str) -> HttpResponse:
    endpoint = found(own(request, WebhookEndpoint).select_related("company"), ref)
    form = RotateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        endpoint, secret = webhook_endpoints.rotate(
            endpoint=endpoint, by=actor(request), at=now(request), **form.cleaned_data
        )
        return _detail(request, endpoint, secret=secret)
    title = _("New secret")
    return _form(request, form, title, _page_of(endpoint)[1], _page_of(endpoint), (title, ""), submit=title)


@needs("webhook.write")
def resend_since(request: HttpRequest, ref: str) -> HttpResponse:
    endpoint = found(own(request, WebhookEndpoint).select_related("company"), ref)
    zone = clock.zone(request.company.time_zone)
    begin = (clock.machine_now() - timedelta(days=1)).astimezone(zone)
    form = ResendForm(request.POST or None, initial={"since": begin.replace(tzinfo=None, second=0, microsecond=0)})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        since = given["since"].replace(tzinfo=zone).astimezone(UTC)
        try:
            count = webhook_resending.resend_since(
                endpoint=endpoint, since=since, with_missed=given["with_missed"], by=actor(request), at=now(request)
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            words = ngettext("%(count)s delivery is sent again.", "%(count)s deliveries are sent again.", count)
            return done(request, words % {"count": count}, "webhook", ref)
    title = _("Send again")
    return _form(request, form, title, _page_of(endpoint)[1], _page_of(endpoint), (title, ""), submit=title)


def _form(
    request: HttpRequest, form: Any, title: str, back: str, *above: tuple[str, str], submit: str = ""
) -> HttpResponse:
    context = {"title": title, "crumbs": _above(*above), "form": form, "back": back, "submit": submit}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("webhook.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    return _detail(request, found(own(request, WebhookEndpoint), ref))


def _detail(request: HttpRequest, endpoint: WebhookEndpoint, *, secret: str = "") -> HttpResponse:
    form = DeliveryFilter(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event")
    if chosen.get("state"):
        rows = rows.filter(state=chosen["state"])
    if chosen.get("type"):
        rows = rows.filter(event__type__startswith=chosen["type"])
    context = {
        "title": endpoint.url,
        "crumbs": _above((endpoint.url, "")),
        "endpoint": endpoint,
        "state": _state_of(endpoint),
        "secret": secret,
        "health": webhook_resending.health(company_id=endpoint.company_id).get(endpoint.pk, EndpointHealth()),
        "list": listing(request, rows, sorts={"id": "pk"}, default="-id", form=form),
        "search_name": "",
    }
    return page(request, "settings/webhook", context)


@needs("webhook.read")
def types(request: HttpRequest) -> HttpResponse:
    """What there is to hear of, with an example of each."""
    groups = [
        (noun, [(one, json.dumps(one.example, indent=2, ensure_ascii=False)) for one in found])
        for noun, found in event_types.by_noun().items()
    ]
    title = _("Events")
    return page(request, "settings/event_types", {"title": title, "crumbs": _above((title, "")), "groups": groups})


@needs("webhook.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:webhook", args=[ref]))
def test(request: HttpRequest, ref: str) -> HttpResponse:
    endpoint = found(own(request, WebhookEndpoint), ref)
    delivery = webhook_endpoints.test(endpoint=endpoint, by=actor(request), at=now(request))
    return done(request, _("A test event is on its way."), "webhook-delivery", delivery.ref)


@needs("webhook.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:webhook", args=[ref]))
def switch(request: HttpRequest, ref: str) -> HttpResponse:
    endpoint = found(own(request, WebhookEndpoint).select_related("company"), ref)
    verb = webhook_endpoints.disable if endpoint.is_active else webhook_endpoints.enable
    held = verb(endpoint=endpoint, by=actor(request), at=now(request))
    words = _("The endpoint is used again.") if held.is_active else _("The endpoint is switched off.")
    return done(request, words, "webhook", ref)


@needs("webhook.read")
def delivery(request: HttpRequest, ref: str) -> HttpResponse:
    row = found(own(request, WebhookDelivery).select_related("endpoint", "event"), ref)
    tries = list(row.log.order_by("-pk")[:50])
    for one in tries:
        one.sent_headers = "\n".join(f"{name}: {value}" for name, value in one.headers.items())
    context = {
        "title": row.event.type,
        "crumbs": _above(_page_of(row.endpoint), (row.event.type, "")),
        "delivery": row,
        "body": json.dumps(json.loads(body_of(row.event)), indent=2, ensure_ascii=False),
        "tries": tries,
    }
    return page(request, "settings/webhook_delivery", context)


@needs("webhook.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:webhook-delivery", args=[ref]))
def resend(request: HttpRequest, ref: str) -> HttpResponse:
    row = found(own(request, WebhookDelivery).select_related("endpoint"), ref)
    webhook_resending.resend(delivery=row, by=actor(request), at=now(request))
    return done(request, _("The event is sent again."), "webhook-delivery", ref)
