"""What happened and what waits: the audit log, the outbox with its dead letters."""

from __future__ import annotations

from datetime import datetime, time

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice import exports, facts, subjects
from backoffice.acting import done, own
from backoffice.forms.settings import AuditFilter, OutboxFilter, effect_words
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from core import clock
from core.models import AuditEntry, Outbox
from core.rights import needs
from core.services import outbox as outbox_verbs
from customers.services import titles


def _above(title: str) -> list:  # type: ignore[type-arg]
    return crumbs((_("Settings"), reverse("backoffice:settings")), (title, ""))


@needs("settings.read")
def audit(request: HttpRequest) -> HttpResponse:
    form = AuditFilter(request.GET)
    rows = own(request, AuditEntry)
    chosen = form.cleaned_data if form.is_valid() else {}
    if chosen.get("verb"):
        rows = rows.filter(form.verbs())
    if chosen.get("actor"):
        rows = rows.filter(actor_label__icontains=chosen["actor"])
    if chosen.get("since"):
        zone = clock.zone(request.company.time_zone)
        rows = rows.filter(at__gte=datetime.combine(chosen["since"], time.min, zone))
    if exports.is_asked(request):
        return _audit_file(request, rows)
    listed = listing(request, rows, sorts={"id": "pk"}, default="-id", form=form)
    found = subjects.find(request, listed.rows)
    for row in listed.rows:
        row.title = titles.title_of(row.verb)
        row.by = facts.ACTORS.get(row.actor_kind, row.actor_kind)
        row.told = facts.of(row)
        row.why = titles.reason_of(row.reason)
        row.about = found.get((row.subject_kind, row.subject_id))
        row.kind = subjects.words_of(row.subject_kind) if row.about else row.subject_kind
    context = {
        "title": _("Audit log"),
        "crumbs": _above(_("Audit log")),
        "list": listed,
        "exports": True,
        "search_name": "",
    }
    return page(request, "settings/audit", context)


def _audit_file(request: HttpRequest, rows: QuerySet[AuditEntry]) -> HttpResponse:
    head = ["at", "actor", "verb", "subject", "subject_id", "customer_id", "reason", "verb_words"]
    # Rows are written when the reader's language is no longer spoken.
    words = titles.known()
    cells = (
        [
            row.at,
            row.actor_label,
            row.verb,
            row.subject_kind,
            row.subject_id,
            row.customer_id,
            row.reason,
            words.get(row.verb, ""),
        ]
        for row in rows.order_by("-pk").iterator(chunk_size=1000)
    )
    return exports.response(request, "audit", _("Audit log"), head, cells)  # type: ignore[return-value]


@needs("settings.read")
def outbox(request: HttpRequest) -> HttpResponse:
    form = OutboxFilter(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    state = chosen.get("state") or "dead"
    rows = own(request, Outbox)
    if state != "all":
        rows = rows.filter(state=state)
    if chosen.get("kind"):
        rows = rows.filter(kind=chosen["kind"])
    listed = listing(request, rows, sorts={"id": "pk"}, default="-id", form=form)
    for row in listed.rows:
        row.words = effect_words(row.kind)
    health = outbox_verbs.health(company_id=request.company.pk)
    context = {
        "title": _("Outbox"),
        "crumbs": _above(_("Outbox")),
        "list": listed,
        "search_name": "",
        "actable": state != "done",
        "health": [(one, effect_words(one.kind)) for one in health],
        "dead": sum(one.dead for one in health),
        "kind": chosen.get("kind", ""),
    }
    return page(request, "settings/outbox", context)


def _ids(request: HttpRequest) -> list[int]:
    return [int(one) for one in request.POST.getlist("row") if one.isascii() and one.isdigit() and len(one) < 19]


@needs("settings.write")
@require_POST
def replay(request: HttpRequest) -> HttpResponse:
    """Tries the marked ones now, also those that wait for their next try."""
    ids = _ids(request)
    count = outbox_verbs.hurry(company_id=request.company.pk, ids=ids)
    count += outbox_verbs.replay(company_id=request.company.pk, ids=ids)
    return done(request, _("%(count)s will be tried again.") % {"count": count}, "outbox")


@needs("settings.write")
@require_POST
def replay_all(request: HttpRequest) -> HttpResponse:
    count = outbox_verbs.replay(company_id=request.company.pk, kind=request.POST.get("kind", "")[:40])
    return done(request, _("%(count)s will be tried again.") % {"count": count}, "outbox")


@needs("settings.write")
@require_POST
def cancel(request: HttpRequest) -> HttpResponse:
    count = outbox_verbs.cancel(company_id=request.company.pk, ids=_ids(request))
    return done(request, _("%(count)s are given up.") % {"count": count}, "outbox")
