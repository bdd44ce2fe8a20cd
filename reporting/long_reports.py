"""Reports that take too long to wait for: reckoned as long work and kept as a spreadsheet.

The rule that matters: it is the same report, built by the same function; it reads and changes nothing, so a job that
stopped begins again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import override

from core import clock
from core.models import Company, Job, StoredFile, User
from core.services import files, jobs, sweeping
from core.services.jobs import Progress
from core.workbooks import XLSX, workbook
from reporting import asking, registry, words

KIND: Final = "write_report"
#: What is refused only because somebody waits.
TOO_LONG: Final = frozenset({"report.coming_too_many"})


def start(*, company: Company, name: str, query: Mapping[str, str], language: str, user: User | None) -> Job:
    """The job that writes the report as a spreadsheet in that language, as it is asked today. Refuses as
    `registry.named` and `asking.asked_of`."""
    today = clock.today(company)
    asking.asked_of(registry.named(name), query, today=today)
    params = {"report": name, "query": dict(query), "today": today.isoformat(), "language": language}
    return jobs.start(company_id=company.pk, name=KIND, params=params, user=user)


@jobs.kind(KIND)
def write(job: Job, progress: Progress) -> dict[str, Any]:
    """Params: `report` (its name), `query` (what is asked), `today` (as seen on which day), `language`."""
    company, params = Company.objects.get(pk=job.company_id), job.params
    spec = registry.named(params["report"])
    asked = asking.asked_of(spec, params["query"], today=date.fromisoformat(params["today"]))
    asked = replace(asked, told=lambda done, total: progress.set(done=done, total=total))
    with override(params["language"]):
        if spec.sheets is not None:
            content = workbook(spec.sheets(company, asked))
        else:
            built = registry.build(name=spec.name, company=company, asked=asked)
            content = workbook(words.sheets_of(built, in_words=True))
    name = f"{spec.name}-{asked.last.isoformat()}.xlsx"
    stored = files.store(company_id=company.pk, name=name, media_type=XLSX, content=content)
    return {"file": stored.pk, "name": stored.name, "size": stored.size}


def file_of(job: Job) -> StoredFile | None:
    """What the job wrote, once it is done."""
    if job.kind != KIND or job.state != Job.State.DONE:
        return None
    return StoredFile.objects.filter(company_id=job.company_id, pk=job.result.get("file")).first()


def forget(company: Company, before: datetime, limit: int) -> int:
    """Drops a portion of the jobs that ended before an instant, with their files; how many jobs.

    A file that a later job wrote just the same stays, and one that any row holds.
    """
    wrote = Job.objects.filter(company=company, kind=KIND, result__has_key="file")
    old = dict(wrote.filter(ended_at__lt=before).order_by("ended_at").values_list("pk", "result__file")[:limit])
    if not old:
        return 0
    with transaction.atomic():
        files.drop(set(old.values()) - set(wrote.filter(ended_at__gte=before).values_list("result__file", flat=True)))
        Job.objects.filter(pk__in=old).delete()
    return len(old)


sweeping.log("reports", kept=sweeping.days_of("WORK_LOG_DAYS"), portion=forget)
