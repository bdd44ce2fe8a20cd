"""Acts on everybody in a segment: the list, what is to be done, and the page of one: preview, progress, result.

The rule that matters: nothing is done before somebody has seen with whom, for how much, and who is passed over.
"""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import get_language, ngettext, pgettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, may, now, own, show_refusal, tells_refusals, today
from backoffice.exports import amount, is_asked, response
from backoffice.forms.bulk_acts import BulkForm
from backoffice.lists import listing, tabs_of
from backoffice.pages import Crumb, crumbs, page
from backoffice.views.jobs import pace
from core.refusal import Refused
from core.rights import needs
from crm.models import BulkAct, BulkRow, Segment
from crm.services import bulk_acts, bulk_kinds

State, RowState = BulkAct.State, BulkRow.State
VIEWS: Final = (
    ("", pgettext_lazy("rows of an act", "All")),
    (RowState.READY, pgettext_lazy("rows of an act", "Will be done")),
    (RowState.DONE, pgettext_lazy("rows of an act", "Done")),
    (RowState.REFUSED, pgettext_lazy("rows of an act", "Refused")),
    (RowState.FAILED, pgettext_lazy("rows of an act", "Failed")),
)


@needs("segment.read")
def index(request: HttpRequest) -> HttpResponse:
    """Every act on many, the newest first."""
    rows = own(request, BulkAct).select_related("segment")
    listed = listing(request, rows, sorts={"id": "pk"}, default="-id")
    for row in listed.rows:
        row.label, row.who = bulk_kinds.KINDS[row.kind].label, row.actor[2]
    title = _("Bulk actions")
    context = {"title": title, "crumbs": _above((title, "")), "list": listed, "search_name": ""}
    return page(request, "bulk_acts/list", context)


def _above(*more: tuple[str, str]) -> list[Crumb]:
    return crumbs((_("Segments"), reverse("backoffice:segments")), *more)


@needs("segment.read")
def choose(request: HttpRequest, ref: str) -> HttpResponse:
    """What can be done with everybody in a segment."""
    segment = found(own(request, Segment), ref)
    kinds = [kind for kind in bulk_kinds.KINDS.values() if may(request, kind.right)]
    title = _("Act on everybody")
    context = {
        "title": title, "segment": segment,
        "crumbs": _above((segment.name, reverse("backoffice:segment", args=[ref])), (title, "")),
        "groups": [
            (_("With each customer"), [kind for kind in kinds if not kind.is_of_subscriptions]),
            (_("With each subscription"), [kind for kind in kinds if kind.is_of_subscriptions]),
        ],
    }  # fmt: skip
    return page(request, "bulk_acts/choose", context)


@needs("segment.read")
def prepare(request: HttpRequest, ref: str, kind: str) -> HttpResponse:
    """What the act needs; then it is looked at with each, and nothing is done yet."""
    segment = found(own(request, Segment).select_related("company"), ref)
    chosen = _kind(request, kind)
    form = BulkForm(request.POST or None, company=request.company, kind=kind)
    if request.method == "POST" and form.is_valid():
        try:
            act = bulk_acts.prepare(
                segment=segment, kind=kind, params=form.values(), language=get_language() or "en", user=request.user,
                on=today(request), by=actor(request), at=now(request),
            )  # fmt: skip
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("Each of them is being checked. Nothing has been done yet."), "bulk-act", act.ref)
    back = reverse("backoffice:segment-act", args=[ref])
    context = {
        "title": chosen.label, "form": form, "back": back, "submit": _("Preview"),
        "lead": _("For everybody in “%(segment)s”. The preview shows who is meant, before anything happens.")
        % {"segment": segment.name},
        "crumbs": _above(
            (segment.name, reverse("backoffice:segment", args=[ref])), (_("Act on everybody"), back),
            (str(chosen.label), ""),
        ),
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


def _kind(request: HttpRequest, name: str) -> bulk_kinds.Kind:
    if name not in bulk_kinds.KINDS:
        raise Http404
    kind = bulk_kinds.KINDS[name]
    if not may(request, kind.right):
        raise PermissionDenied
    return kind


@needs("segment.read")
def detail(request: HttpRequest, ref: str) -> HttpResponseBase:
    """One act: with whom, for how much, who is passed over; then how far it is, and what became of each row."""
    act = found(own(request, BulkAct).select_related("segment__company", "company"), ref)
    kind = bulk_kinds.KINDS[act.kind]
    rows = act.rows.select_related("customer", "subscription")
    state = request.GET.get("state", "")
    if state in RowState.values:
        rows = rows.filter(state=state)
    if is_asked(request) and may(request, "customer.read"):
        return _file(request, kind, rows)
    counts = bulk_acts.counts(act)
    listed = listing(request, rows, sorts={"id": "pk"}, default="id")
    listed.tabs = tabs_of(request, "state", [one for one in VIEWS if not one[0] or counts[one[0]] or one[0] == state],
                          state)  # fmt: skip
    job = bulk_acts.job_of(act)
    title = str(kind.label)
    context = {
        "title": title, "act": act, "kind": kind, "list": listed, "counts": counts, "total": sum(counts.values()),
        "crumbs": _above(
            (act.segment.name, reverse("backoffice:segment", args=[act.segment.ref])),
            (_("Bulk actions"), reverse("backoffice:bulk-acts")), (title, ""),
        ),
        "going": act.state in BulkAct.LIVE, "job": job, "pace": pace(job) if job else "",
        "reasons": bulk_acts.reasons(act), "sums": bulk_acts.money(act) if kind.is_of_subscriptions else [],
        "since": bulk_acts.since(act, on=today(request)) if act.state == State.CHECKED else None,
        "may_do": may(request, kind.right), "exports": True, "search_name": "", "who": act.actor[2],
        "facts": _facts(act),
    }  # fmt: skip
    return page(request, "bulk_acts/detail", context)


def _facts(act: BulkAct) -> list[tuple[str, Any]]:
    """What the act was given, as people know it."""
    try:
        given = bulk_kinds.KINDS[act.kind].read(act.company, act.params)
    except Refused:  # somebody it names works here no longer
        given = act.params
    form = BulkForm(company=act.company, kind=act.kind)
    found_ = []
    for name, field in form.fields.items():
        value = act.params.get(name)
        if isinstance(given.get(name), str) or given.get(name) is None or not getattr(field, "choices", None):
            value = given.get(name)
        choices = dict(getattr(field, "choices", ()))
        if value not in (None, "") or name == "owner":
            found_.append((field.label, choices.get(value, value) if choices else value))
    return found_


def _file(request: HttpRequest, kind: bulk_kinds.Kind, rows: QuerySet[BulkRow]) -> HttpResponseBase:
    head = ["customer_id", "number", "customer", "subscription", "state", "reason", "currency", "amount", "at"]

    def lines() -> Any:
        for row in rows.order_by("pk").iterator(chunk_size=2000):
            money = None if row.money_minor is None else amount(row.money_minor, row.currency)
            yield [
                row.customer.ref, row.customer.number, row.customer.name,
                row.subscription.number if row.subscription else "", row.state, row.why, row.currency, money,
                row.tried_at,
            ]  # fmt: skip

    return response(request, "act-on-many", str(kind.label), head, lines())


@needs("segment.read")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:bulk-act", args=[ref]))
def act(request: HttpRequest, ref: str) -> HttpResponse:
    """Does it with everybody, or stops it."""
    held = found(own(request, BulkAct), ref)
    _kind(request, held.kind)
    if request.POST.get("act") == "stop":
        bulk_acts.stop(act=held, by=actor(request), at=now(request))
        return done(request, _("Stopped. What was done stays done."), "bulk-act", ref)
    started = bulk_acts.start(act=held, user=request.user, by=actor(request), at=now(request))
    count = bulk_acts.counts(started)[RowState.READY]
    if started.state == State.CHECKING:
        return done(request, _("Each of them is being checked. Nothing has been done yet."), "bulk-act", ref)
    words = ngettext("It is being done with %(count)s row.", "It is being done with %(count)s rows.", count)
    return done(request, words % {"count": count}, "bulk-act", ref)
