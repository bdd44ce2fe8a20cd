"""How the company takes money: its gateways with their secrets (written, never shown), and what providers said."""

from __future__ import annotations

from typing import Any

from django.conf import settings as product
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.gateways import GatewayEventFilter, GatewayForm
from backoffice.lists import listing
from backoffice.pages import Crumb, crumbs, page
from billing.gateways import bodies
from billing.models import Gateway, GatewayEvent
from billing.services import gateway_accounts, incoming, reachability
from core.refusal import Refused
from core.rights import needs

#: Kinds whose provider sends messages.
TELLS = (Gateway.Kind.STRIPE, Gateway.Kind.PAYPAL)
ICONS = {"stripe": "credit-card", "paypal": "wallet", "sepa": "landmark", "transfer": "banknote", "cash": "hand-coins"}


def webhook_address(gateway: Gateway) -> str:
    """Where the provider sends its messages; empty for kinds that send none."""
    if gateway.kind not in TELLS:
        return ""
    try:
        path = reverse("webhooks-in", args=[gateway.ref])
    except NoReverseMatch:  # the product without that door
        path = f"/webhooks/{gateway.ref}/"
    return f"{product.SITE_URL}{path}"


def _above(*steps: tuple[str, str]) -> list[Crumb]:
    return crumbs((_("Settings"), reverse("backoffice:settings")), *steps)


@needs("settings.read")
def index(request: HttpRequest) -> HttpResponse:
    rows = list(own(request, Gateway).order_by("-is_active", "pk"))
    last = dict(
        GatewayEvent.objects.filter(gateway__in=rows)
        .values_list("gateway")
        .annotate(last=Max("received_at"))
        .order_by()
    )
    for row in rows:
        row.last_message = last.get(row.pk)
        row.icon = ICONS.get(row.kind, "wallet")
    active = {row.kind for row in rows if row.is_active}
    context = {
        "title": _("Gateways"),
        "crumbs": _above((_("Gateways"), "")),
        "rows": rows,
        "kinds": [(kind, label, ICONS[kind]) for kind, label in Gateway.Kind.choices if kind not in active],
        "tells": TELLS,
    }
    return page(request, "settings/gateways", context)


@needs("settings.write")
def create(request: HttpRequest) -> HttpResponse:
    kind = request.GET.get("kind", Gateway.Kind.STRIPE)
    if kind not in Gateway.Kind.values:
        raise Http404
    return _form(request, kind, None)


@needs("settings.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    gateway = found(own(request, Gateway).select_related("company"), ref)
    return _form(request, gateway.kind, gateway)


def _form(request: HttpRequest, kind: str, gateway: Gateway | None) -> HttpResponse:
    form = GatewayForm(request.POST or None, kind=kind, gateway=gateway)
    if request.method == "POST" and form.is_valid():
        try:
            saved = gateway_accounts.save(
                company=request.company, gateway=gateway, kind=kind, by=actor(request), at=now(request),
                **form.cleaned_data,
            )  # fmt: skip
        except Refused as refused:
            if gateway is not None:
                gateway.refresh_from_db()
            show_refusal(form, refused)
        else:
            return done(request, _("%(name)s is saved.") % {"name": saved.name}, "gateway", saved.ref)
    title = _("Edit %(name)s") % {"name": gateway.name} if gateway else str(Gateway.Kind(kind).label)
    back = reverse("backoffice:gateway", args=[gateway.ref]) if gateway else reverse("backoffice:gateways")
    context = {
        "title": title,
        "crumbs": _above((_("Gateways"), reverse("backoffice:gateways")), (title, "")),
        "form": form,
        "back": back,
    }
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("settings.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    gateway = found(own(request, Gateway).select_related("company"), ref)
    events = GatewayEvent.objects.filter(gateway=gateway).order_by("-pk")
    context = {
        "title": gateway.name,
        "crumbs": _above((_("Gateways"), reverse("backoffice:gateways")), (gateway.name, "")),
        "gateway": gateway,
        "fields": _facts(gateway),
        "webhook": webhook_address(gateway),
        "is_unsigned": gateway.kind in TELLS and not (
            gateway.webhook_secret if gateway.kind == Gateway.Kind.STRIPE else gateway.webhook_id
        ),
        "events": events[:10] if gateway.kind in TELLS else [],
        "tells": gateway.kind in TELLS,
    }  # fmt: skip
    return page(request, "settings/gateway", context)


def _facts(gateway: Gateway) -> list[dict[str, Any]]:
    """Its settings; of a secret only whether there is one."""
    facts = []
    for name in gateway_accounts.FIELDS[gateway.kind]:
        if name == "name":
            continue
        value = getattr(gateway, name)
        if name == "iban" and value:
            value = f"•••• {value[-4:]}"
        elif name in gateway_accounts.SECRETS and value:
            value = _("kept")
        elif isinstance(value, bool):
            value = _("yes") if value else _("no")
        facts.append({"term": str(Gateway.field_name(name))[:1].upper() + Gateway.field_name(name)[1:], "value": value})
    return facts


@needs("settings.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:gateway", args=[ref]))
def switch(request: HttpRequest, ref: str) -> HttpResponse:
    """On or off. Off: nothing new is collected through it; what is under way goes on."""
    gateway = found(own(request, Gateway).select_related("company"), ref)
    gateway_accounts.save(
        company=request.company, gateway=gateway, is_active=not gateway.is_active, by=actor(request), at=now(request)
    )
    words = _("%(name)s is used again.") if gateway.is_active else _("%(name)s is switched off.")
    return done(request, words % {"name": gateway.name}, "gateway", ref)


@needs("settings.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:gateway", args=[ref]))
def test(request: HttpRequest, ref: str) -> HttpResponse:
    gateway = found(own(request, Gateway).select_related("company"), ref)
    reachability.check(gateway)
    return done(request, _("%(name)s works.") % {"name": gateway.name}, "gateway", ref)


@needs("settings.read")
def events(request: HttpRequest) -> HttpResponse:
    """What providers said, newest first."""
    form = GatewayEventFilter(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = own(request, GatewayEvent)
    if chosen.get("state"):
        rows = rows.filter(state=chosen["state"])
    if chosen.get("kind"):
        rows = rows.filter(type__startswith=chosen["kind"])
    rows = rows.defer("body", "headers").select_related("gateway")
    title = _("Messages of providers")
    context = {
        "title": title,
        "crumbs": _above((_("Gateways"), reverse("backoffice:gateways")), (title, "")),
        "list": listing(request, rows, sorts={"id": "pk"}, default="-id", form=form),
        "search_name": "",
    }
    return page(request, "settings/gateway_events", context)


def _event(request: HttpRequest, pk: int) -> GatewayEvent:
    event = own(request, GatewayEvent).select_related("gateway__company").filter(pk=pk).first()
    if event is None:
        raise Http404
    return event


@needs("settings.read")
def event(request: HttpRequest, pk: int) -> HttpResponse:
    row = _event(request, pk)
    title = _("Messages of providers")
    context = {
        "title": row.type,
        "crumbs": _above(
            (_("Gateways"), reverse("backoffice:gateways")),
            (title, reverse("backoffice:gateway-events")),
            (row.type, ""),
        ),
        "event": row,
        "body": bodies.shown(bytes(row.body)),
    }
    return page(request, "settings/gateway_event", context)


@needs("settings.write")
@require_POST
@tells_refusals(lambda pk: reverse("backoffice:gateway-event", args=[pk]))
def replay(request: HttpRequest, pk: int) -> HttpResponse:
    """Applies a message anew; what it already did isn't done twice."""
    row = _event(request, pk)
    try:
        incoming.replay(event=row, by=actor(request), at=now(request))
    except Refused:
        raise
    except Exception as error:
        # The provider may be down: the message stays and says why.
        raise Refused("gateway.unreachable", gateway=row.gateway.name, error=type(error).__name__) from error
    return done(request, _("The message was applied anew."), "gateway-event", pk)
