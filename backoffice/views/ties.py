"""Ties to other systems: what there is, how it stands, what would be sent, and what was refused."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.ties import TieForm
from backoffice.lists import listing
from backoffice.pages import Crumb, crumbs, page
from core import clock
from core.refusal import Refused
from core.rights import needs
from crm.models import Tie, TieChange, TieFile, TieRecord, TieRun
from crm.services import tie_accounts, tie_files, tie_hearing, tying
from crm.services.tie_rows import marks_of

#: Rows of a log shown on a tie's own page.
SHOWN = 5


def _above(*steps: tuple[str, str]) -> list[Crumb]:
    top = (_("Ties"), reverse("backoffice:ties") if steps else "")
    return crumbs((_("Settings"), reverse("backoffice:settings")), top, *steps)


def _live(request: HttpRequest) -> Any:
    return own(request, Tie).filter(archived_at__isnull=True).select_related("company", "segment", "campaign")


def state_of(tie: Tie) -> str:
    """How it stands, for its badge."""
    if not tie.is_on:
        return "inactive"
    if tie.last_error:
        return "failing"
    return "paused" if tie.paused_until is not None and tie.paused_until > clock.machine_now() else "active"


@needs("settings.read")
def index(request: HttpRequest) -> HttpResponse:
    rows = list(_live(request))
    for row in rows:
        row.state = state_of(row)
    kinds = [(kind, label) for kind, label in Tie.Kind.choices if kind in tie_accounts.FIELDS]
    context = {"title": _("Ties"), "crumbs": _above(), "rows": rows, "kinds": kinds}
    return page(request, "settings/ties", context)


@needs("settings.write")
def create(request: HttpRequest) -> HttpResponse:
    kind = request.GET.get("kind", Tie.Kind.BREVO)
    if kind not in tie_accounts.FIELDS:
        raise Http404
    return _form(request, kind, None)


@needs("settings.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    tie = found(_live(request), ref)
    return _form(request, tie.kind, tie)


def _form(request: HttpRequest, kind: str, tie: Tie | None) -> HttpResponse:
    form = TieForm(request.POST or None, company=request.company, kind=kind, tie=tie)
    if request.method == "POST" and form.is_valid():
        try:
            saved = tie_accounts.save(
                company=request.company, tie=tie, kind=kind, by=actor(request), at=now(request), **form.cleaned_data
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("%(name)s is saved.") % {"name": saved.name}, "tie", saved.ref)
    title = _("Edit %(name)s") % {"name": tie.name} if tie else str(Tie.Kind(kind).label)
    back = reverse("backoffice:tie", args=[tie.ref]) if tie else reverse("backoffice:ties")
    context = {"title": title, "crumbs": _above((title, "")), "form": form, "back": back}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("settings.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    tie = found(_live(request), ref)
    rows, counts = TieRecord.objects.filter(tie=tie).select_related("customer"), _counts(tie)
    state = request.GET.get("state", "")
    if state in TieRecord.State.values:
        rows = rows.filter(state=state)
    context = {
        "title": tie.name,
        "crumbs": _above((tie.name, "")),
        "tie": tie,
        "state": state_of(tie),
        "marks": marks_of(tie),
        "counts": counts,
        "failed": any(key == TieRecord.State.FAILED for key, _label, _count in counts),
        "chosen": state,
        "runs": TieRun.objects.filter(tie=tie).order_by("-pk")[:SHOWN],
        "changes": _changes(tie)[:SHOWN],
        "tables": list(tie_files.WORDS.items()) if tie.kind == Tie.Kind.CSV else [],
        "files": TieFile.objects.filter(tie=tie).defer("outcomes").order_by("-pk")[:SHOWN],
        "list": listing(request, rows, sorts={"id": "pk"}, default="-id"),
        "search_name": "",
    }
    return page(request, "settings/tie", context)


def _changes(tie: Tie) -> Any:
    return TieChange.objects.filter(tie=tie).select_related("customer", "lead").order_by("-pk")


@needs("settings.read")
def changes(request: HttpRequest, ref: str) -> HttpResponse:
    """Everything that was changed over there, with what became of it."""
    tie = found(_live(request), ref)
    chosen = request.GET.get("view", "")
    views: dict[str, tuple[str, tuple[str, ...]]] = {
        "": (_("All"), tuple(TieChange.Outcome.values)), "taken": (_("Taken over"), (TieChange.Outcome.TAKEN,)),
        "conflicts": (_("Conflicts"), tie_hearing.CONFLICTS), "leads": (_("New leads"), (TieChange.Outcome.LEAD,)),
    }  # fmt: skip
    rows = _changes(tie).filter(outcome__in=views[chosen][1]) if chosen in views else _changes(tie)
    title = _("What was heard")
    context = {
        "title": title, "crumbs": _above((tie.name, reverse("backoffice:tie", args=[ref])), (title, "")), "tie": tie,
        "search_name": "", "list": listing(request, rows, sorts={"id": "pk"}, default="-id"),
    }  # fmt: skip
    context["list"].tabs = [
        {"label": label, "url": f"?view={view}" if view else "?", "current": view == chosen}
        for view, (label, _outcomes) in views.items()
    ]  # fmt: skip
    return page(request, "settings/tie_changes", context)


def _counts(tie: Tie) -> list[tuple[str, str, int]]:
    """How many records stand in each state."""
    from django.db.models import Count

    found = dict(TieRecord.objects.filter(tie=tie).values_list("state").annotate(n=Count("pk")).order_by())
    return [(state, str(label), found[state]) for state, label in TieRecord.State.choices if state in found]


@needs("settings.read")
def preview(request: HttpRequest, ref: str) -> HttpResponse:
    """What the next run would send, by the same list the run sends."""
    tie = found(_live(request), ref)
    counts = tying.preview(tie=tie, at=now(request))
    said = {
        "on": _("new or changed: may get advertising"), "off": _("to be blocked: no advertising any more"),
        "out": _("to be taken from the list"), "kept": _("new or changed: known, without advertising"),
    }  # fmt: skip
    kinds = {str(kind): str(label) for kind, label in TieRecord.Kind.choices}
    rows = [
        (kinds[kind], words, counts[f"{kind}.{wanted}"])
        for kind in kinds for wanted, words in said.items() if counts[f"{kind}.{wanted}"]
    ]  # fmt: skip
    title = _("What would be sent")
    context = {
        "title": title, "crumbs": _above((tie.name, reverse("backoffice:tie", args=[ref])), (title, "")),
        "tie": tie, "rows": rows, "total": counts["rows"], "unchanged": counts["unchanged"], "more": counts["more"],
    }  # fmt: skip
    return page(request, "settings/tie_preview", context)


def _back(ref: str) -> str:
    return reverse("backoffice:tie", args=[ref])


@needs("settings.write")
@require_POST
@tells_refusals(_back)
def check(request: HttpRequest, ref: str) -> HttpResponse:
    name = tie_accounts.check(found(_live(request), ref))
    return done(request, _("It works: %(account)s.") % {"account": name}, "tie", ref)


@needs("settings.write")
@require_POST
@tells_refusals(_back)
def run(request: HttpRequest, ref: str) -> HttpResponse:
    tie = found(_live(request), ref)
    job = tying.run_now(tie=tie, user=request.user, by=actor(request), at=now(request))  # type: ignore[arg-type]
    return done(request, _("%(name)s is brought up to date.") % {"name": tie.name}, "job", job.ref)


@needs("settings.write")
@require_POST
@tells_refusals(_back)
def switch(request: HttpRequest, ref: str) -> HttpResponse:
    tie = found(_live(request), ref)
    held = tie_accounts.switch(tie=tie, is_on=not tie.is_on, by=actor(request), at=now(request))
    words = _("%(name)s is kept up by itself.") if held.is_on else _("%(name)s is switched off.")
    return done(request, words % {"name": held.name}, "tie", ref)


@needs("settings.write")
@require_POST
@tells_refusals(_back)
def retry(request: HttpRequest, ref: str) -> HttpResponse:
    count = tie_accounts.retry(tie=found(_live(request), ref), by=actor(request), at=now(request))
    words = ngettext("%(count)s row is sent again.", "%(count)s rows are sent again.", count)
    return done(request, words % {"count": count}, "tie", ref)


@needs("settings.write")
@require_POST
@tells_refusals(_back)
def archive(request: HttpRequest, ref: str) -> HttpResponse:
    tie = tie_accounts.archive(tie=found(own(request, Tie), ref), by=actor(request), at=now(request))
    words = pgettext("connection", "%(name)s is archived and its key forgotten.")
    return done(request, words % {"name": tie.name}, "ties")
