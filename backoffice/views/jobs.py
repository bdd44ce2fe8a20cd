"""Long work: the list and the page of one job, which draws itself anew while the job goes on."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.acting import found, may, own
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from backoffice.views.runs import totals_of
from billing import tasks as billing_tasks
from billing.models import BankLine
from billing.services.statement_jobs import KIND as STATEMENT
from core import clock
from core.design import formats
from core.models import Job
from core.refusal import Refused
from core.rights import needs
from core.services import ticks, timetable
from crm.services import bulk_acts
from reporting import long_reports, registry
from reporting.long_reports import KIND as REPORT
from subscriptions.services.importing.working import KIND as IMPORT

SHOWN_PROBLEMS = 500

KINDS = {
    "run_tie": gettext_lazy("Tie brought up to date"),
    billing_tasks.KIND: gettext_lazy("Billing run"),
    IMPORT: gettext_lazy("Import"),
    STATEMENT: gettext_lazy("Read a statement in"),
    "advance_clock": gettext_lazy("Advance of the clock"),
    timetable.KIND: gettext_lazy("Run of the timetable"),
    REPORT: gettext_lazy("Report written to a file"),
    bulk_acts.CHECK: gettext_lazy("Check of a bulk action"),
    bulk_acts.DO: gettext_lazy("Bulk action"),
}
OPEN = (Job.State.WAITING, Job.State.RUNNING)


def kind_in_words(job: Job) -> str:
    if job.kind == timetable.KIND and (tick := ticks.find(str(job.params.get("tick")))) is not None and tick.title:
        return str(tick.title)
    return str(KINDS.get(job.kind, job.kind.replace("_", " ").capitalize()))


def pace(job: Job) -> str:
    """How fast a job goes and how long it will take, in words; empty before it can be said."""
    if job.started_at is None or not job.done:
        return ""
    end = job.ended_at or clock.machine_now()
    seconds = max((end - job.started_at).total_seconds(), 0.001)
    rate = job.done / seconds
    words = _("%(rate)s a second") % {"rate": formats.number(round(rate, 1 if rate < 10 else 0) or 0)}
    if job.state in OPEN and job.total and job.total > job.done and rate > 0:
        left = round((job.total - job.done) / rate)
        words += ", " + _("%(time)s left") % {"time": _length(left)}
    return words


def _length(seconds: int) -> str:
    if seconds < 90:
        return _("%(count)s s") % {"count": seconds}
    return _("%(count)s min") % {"count": round(seconds / 60)}


@needs("customer.read")
def index(request: HttpRequest) -> HttpResponse:
    rows = own(request, Job).select_related("requested_by")
    listed = listing(request, rows, sorts={"id": "pk"}, default="-id")
    for row in listed.rows:
        row.words, row.pace = kind_in_words(row), pace(row)
    return page(request, "jobs/list", {"title": _("Jobs"), "list": listed, "search_name": ""})


@needs("customer.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    job = found(own(request, Job).select_related("requested_by"), ref)
    title = kind_in_words(job)
    context = {
        "title": title,
        "crumbs": crumbs((_("Jobs"), reverse("backoffice:jobs")), (title, "")),
        "job": job,
        "pace": pace(job),
        "going": job.state in OPEN,
        "error": job.result.get("error") or job.result.get("words", ""),
        **_outcome(request, job),
    }
    template = "jobs/progress" if request.headers.get("HX-Request") else "jobs/detail"
    return page(request, template, context)


def _outcome(request: HttpRequest, job: Job) -> dict[str, Any]:
    """What came out, by kind: figures, sums, what went wrong, and what to do next."""
    result = job.result if job.state == Job.State.DONE else {}
    if job.kind == billing_tasks.KIND:
        return _of_run(request, job, result)
    if job.kind == IMPORT:
        return _of_import(request, job, result)
    if job.kind == STATEMENT:
        return _of_statement(result)
    if job.kind in (bulk_acts.CHECK, bulk_acts.DO):
        url = reverse("backoffice:bulk-act", args=[job.params["bulk_act"]])
        return {"link": {"url": url, "label": _("Open the act")}}
    if job.kind == REPORT:
        return _of_report(request, job, result)
    return {"figures": [(key, value) for key, value in result.items() if key != "error"]}


def _of_report(request: HttpRequest, job: Job, result: dict[str, Any]) -> dict[str, Any]:
    spec = registry.named(job.params["report"])
    figures = [(_("Report"), spec.title)]
    if "size" not in result or not may(request, spec.right):
        return {"figures": figures}
    figures += [(_("File"), result["name"]), (_("Size"), filesizeformat(result["size"]))]
    return {
        "figures": figures,
        "link": {"url": reverse("backoffice:job-file", args=[job.ref]), "label": _("Download"), "icon": "download"},
    }


@needs("report.read")
def file(request: HttpRequest, ref: str) -> HttpResponse:
    """The spreadsheet a report was written to."""
    job = found(own(request, Job).filter(kind=REPORT), ref)
    stored = long_reports.file_of(job)
    if stored is None or not may(request, registry.named(job.params["report"]).right):
        raise Http404
    answer = HttpResponse(stored.content, content_type=stored.media_type)
    answer["Content-Disposition"] = f'attachment; filename="{stored.name}"'
    return answer


def _of_run(request: HttpRequest, job: Job, result: dict[str, Any]) -> dict[str, Any]:
    if not result or "refused" in result:
        return {}
    dry = bool(job.params.get("dry_run"))
    figures = [
        (_("Subscriptions due"), result.get("due", 0)),
        (_("Invoices"), result.get("invoices", 0)),
        (_("Of them without mail"), result.get("quiet", 0)),
        (_("Credit notes"), result.get("credit_notes", 0)),
        (_("Parked"), len(result["parked"]) if dry and "parked" in result else result.get("parked_count", 0)),
    ]
    found_: dict[str, Any] = {
        "figures": [(label, formats.number(count)) for label, count in figures],
        "totals": totals_of(result.get("totals", {}), request.company),
        "parked": [
            {"number": f"SUB-{pk:06d}", "code": code, "detail": detail}
            for pk, code, detail in (result.get("parked") or [])[:SHOWN_PROBLEMS]
        ],
    }
    if dry and "run.start" in request.rights and (result.get("invoices") or result.get("credit_notes")):
        sums = ", ".join(formats.money(row["gross"], row["currency"]) for row in found_["totals"])
        found_["next"] = {"url": reverse("backoffice:run-do", args=[job.ref]), "label": _("Bill now"), "sums": sums}
    elif result.get("run"):
        found_["link"] = {"url": reverse("backoffice:run", args=[result["run"]]), "label": _("Open the run")}
    return found_


def _of_statement(result: dict[str, Any]) -> dict[str, Any]:
    if "lines" not in result:
        return {}
    figures = [(_("Lines"), result["lines"]), (_("There already"), result["known"])]
    figures += [(str(state.label), result[state.value]) for state in BankLine.State]
    return {
        "figures": [(label, formats.number(count)) for label, count in figures],
        "problems": [
            {"line": place, "message": Refused(code, **params).message} for place, code, params in result["problems"]
        ],
        "link": {"url": f"{reverse('backoffice:bank')}?view=statements", "label": _("Statements")},
    }


def _of_import(request: HttpRequest, job: Job, result: dict[str, Any]) -> dict[str, Any]:
    if "lines" not in result:
        return {}
    figures = [
        (_("Lines"), result["lines"]),
        (_("Taken over"), result["done"]),
        (_("There already"), result["known"]),
        (_("Refused"), result["failed"]),
        (_("New customers"), result["customers"]),
        (_("Subscriptions"), result["subscriptions"]),
    ]
    shown = [(label, formats.number(count)) for label, count in figures]
    shown += [
        (_("Monthly recurring revenue"), formats.money(minor, code)) for code, minor in result["mrr_minor"].items()
    ]
    if result.get("unused_columns"):
        shown.append((_("Columns not used"), ", ".join(result["unused_columns"])))
    found_: dict[str, Any] = {"figures": shown, "problems": result["problems"][:SHOWN_PROBLEMS]}
    if job.params.get("dry_run") and "import.run" in request.rights and result["done"]:
        found_["next"] = {"url": reverse("backoffice:import-do", args=[job.ref]), "label": _("Take it over")}
    elif result.get("import"):
        found_["link"] = {"url": reverse("backoffice:import", args=[result["import"]]), "label": _("Open the import")}
    return found_
