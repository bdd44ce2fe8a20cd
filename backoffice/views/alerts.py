"""The inbox of alerts, and the rules that say who hears of what."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal
from backoffice.forms.tasks import AlertFilter, AlertRuleForm
from backoffice.lists import listing, tabs_of
from backoffice.pages import crumbs, page
from core.design import formats
from core.refusal import Refused
from core.rights import needs
from crm.models import Alert, AlertAudience, AlertRule
from crm.services import alert_inbox, alert_kinds, alert_rules

VIEWS: Final = (
    ("", gettext_lazy("For me")),
    ("open", gettext_lazy("All open")),
    ("noted", gettext_lazy("Noted")),
    ("resolved", pgettext_lazy("alert", "Settled")),
)
#: Where the row is that an alert is about, by the prefix of its id.
PAGES: Final = {
    "att": "attempt", "bst": "bank-statement", "ddb": "debit-file", "run": "run", "whe": "webhook-endpoint",
}  # fmt: skip
#: Where to look for what an alert of a kind is about.
LISTS: Final = {
    "outbox_dead": "outbox", "tick_missed": "timetable", "billing_behind": "runs", "draft_waits": "invoices",
}  # fmt: skip


def rows_of(request: HttpRequest) -> QuerySet[Alert]:
    return own(request, Alert).select_related("customer", "subscription", "invoice").prefetch_related("tasks")


def drawn(rows: list[Alert]) -> list[Alert]:
    """The rows with their words, where they lead, and their task."""
    for row in rows:
        row.title, row.words = alert_kinds.title_of(row.kind), alert_kinds.in_words(row)  # type: ignore[attr-defined]
        row.url = _url(row)  # type: ignore[attr-defined]
        row.task = next(iter(row.tasks.all()), None)  # type: ignore[attr-defined]
    return rows


def _url(alert: Alert) -> str:
    ref = str(alert.facts.get("id", ""))
    pairs: list[tuple[str, list[str]]] = []
    if ref.partition("_")[0] in PAGES:
        pairs.append((PAGES[ref.partition("_")[0]], [ref]))
    if alert.invoice is not None:
        pairs.append(("invoice", [alert.invoice.ref]))
    if alert.subscription is not None:
        pairs.append(("subscription", [alert.subscription.ref]))
    if alert.customer is not None:
        pairs.append(("customer", [alert.customer.ref]))
    if alert.kind in LISTS:
        pairs.append((LISTS[alert.kind], []))
    for name, args in pairs:
        try:
            return reverse(f"backoffice:{name}", args=args)
        except NoReverseMatch:
            continue
    return ""


@needs("task.read")
def index(request: HttpRequest) -> HttpResponse:
    view = request.GET.get("view", "")
    if view not in dict(VIEWS):
        view = ""
    form = AlertFilter(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = rows_of(request)
    match view:
        case "open":
            rows = rows.filter(state=Alert.State.OPEN)
        case "noted":
            rows = rows.filter(state=Alert.State.OPEN, acknowledged_at__isnull=False)
        case "resolved":
            rows = rows.filter(state=Alert.State.RESOLVED)
        case _:
            rows = rows.filter(pk__in=alert_inbox.unseen(request.company, request.user).values("pk"))
    if chosen.get("kind"):
        rows = rows.filter(kind=chosen["kind"])
    listed = listing(request, rows, sorts={"id": "pk"}, default="-id", form=form)
    listed.tabs = tabs_of(request, "view", VIEWS, view)
    drawn(listed.rows)
    context = {"title": _("Alerts"), "list": listed, "search_name": "", "can_note": view in ("", "open")}
    return page(request, "alerts/list", context)


@needs("task.write")
@require_POST
def acknowledge(request: HttpRequest) -> HttpResponse:
    """Takes note of the checked ones; their tasks stay."""
    wanted = []
    for ref in request.POST.getlist("row")[:500]:
        try:
            wanted.append(Alert.public_id_of(ref))
        except ValueError:
            continue
    rows = own(request, Alert).filter(public_id__in=wanted)
    count = alert_inbox.acknowledge(company=request.company, alerts=rows, by=actor(request), at=now(request))
    text = ngettext("%(count)s alert is noted.", "%(count)s alerts are noted.", count) % {"count": count}
    return done(request, text, "alerts")


# Rules --------------------------------------------------------------------------------------------------------------


def _above(*steps: tuple[str, str]) -> Any:
    return crumbs((_("Settings"), reverse("backoffice:settings")), *steps)


@needs("settings.read")
def rules(request: HttpRequest) -> HttpResponse:
    alert_rules.of_company(request.company)
    heard = Prefetch("audience", AlertAudience.objects.select_related("role", "user").order_by("pk"))
    known = own(request, AlertRule).select_related("company").prefetch_related(heard)
    held = {rule.kind: rule for rule in known}
    rows = [
        {"rule": held[kind.name], "kind": kind, "limit": limit_in_words(held[kind.name]),
         "who": ", ".join(str(one.role or one.user) for one in held[kind.name].audience.all())}
        for kind in alert_kinds.all_kinds() if kind.name in held
    ]  # fmt: skip
    title = _("Alert rules")
    return page(request, "settings/alert_rules", {"title": title, "crumbs": _above((title, "")), "rows": rows})


def limit_in_words(rule: AlertRule) -> str:
    """From when on the rule holds."""
    said = []
    if rule.days is not None:
        said.append(ngettext("%(count)s day", "%(count)s days", rule.days) % {"count": rule.days})
    if rule.hours is not None:
        said.append(ngettext("%(count)s hour", "%(count)s hours", rule.hours) % {"count": rule.hours})
    if rule.amount_minor is not None:
        said.append(_("from %(amount)s") % {"amount": formats.money(rule.amount_minor, rule.company.currency)})
    return ", ".join(said)


@needs("settings.write")
def edit_rule(request: HttpRequest, ref: str) -> HttpResponse:
    rule = found(own(request, AlertRule).select_related("company"), ref)
    kind = alert_kinds.of(rule.kind)
    back = reverse("backoffice:alert-rules")
    if kind is None:
        return done(request, _("This kind of alert is no longer there."), back)
    form = AlertRuleForm(request.POST or None, rule=rule, kind=kind)
    if request.method == "POST" and form.is_valid():
        try:
            alert_rules.save(rule=rule, **form.values(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("%(name)s is saved.") % {"name": kind.title}, back)
    context = {
        "title": str(kind.title), "crumbs": _above((_("Alert rules"), back), (str(kind.title), "")), "form": form,
        "back": back,
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)
