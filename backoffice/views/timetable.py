"""The timetable in plain words: what is done when, what came of it, what went wrong; any of it can be done now."""

from __future__ import annotations

from datetime import timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from backoffice.acting import actor, now
from backoffice.pages import crumbs, page
from core.rights import needs
from core.services import ticks, timetable


def every_in_words(every: timedelta) -> str:
    minutes = int(every.total_seconds() // 60)
    if minutes % 1440 == 0:
        count = minutes // 1440
        return ngettext("every day", "every %(count)s days", count) % {"count": count}
    if minutes % 60 == 0:
        count = minutes // 60
        return ngettext("every hour", "every %(count)s hours", count) % {"count": count}
    return ngettext("every minute", "every %(count)s minutes", minutes) % {"count": minutes}


@needs("settings.read")
def index(request: HttpRequest) -> HttpResponse:
    entries = timetable.entries(request.company)
    rows = [
        {
            "entry": entry,
            "title": entry.tick.title or entry.tick.name,
            "every": every_in_words(entry.tick.every),
            "words": timetable.words(entry.run.outcome) if entry.run is not None else "",
            "failures": [{"at": note.ended_at, "words": timetable.words(note.outcome)} for note in entry.failures],
        }
        for entry in entries
    ]
    title = _("Timetable")
    context = {
        "title": title,
        "crumbs": crumbs((_("Settings"), reverse("backoffice:settings")), (title, "")),
        "rows": rows,
        "missed": [row for row in rows if row["entry"].late_by is not None],  # type: ignore[attr-defined]
    }
    return page(request, "settings/timetable", context)


@needs("settings.write")
@require_POST
def run(request: HttpRequest, name: str) -> HttpResponse:
    """Asks one tick now, for this company; answers with the job's page."""
    if ticks.find(name) is None:
        raise Http404
    job = timetable.run_now(company=request.company, name=name, user=request.user, by=actor(request), at=now(request))
    return redirect("backoffice:job", job.ref)
