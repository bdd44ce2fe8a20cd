"""The import as long work with a page of its own. A job that stopped goes on with the import it began."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction

from core import clock
from core.actors import Actor
from core.models import Company, Job, StoredFile, User
from core.services import files, jobs
from core.services.jobs import Progress
from subscriptions.models import Import
from subscriptions.services.importing import mapping as mappings
from subscriptions.services.importing import reading, writing

KIND = "import_subscriptions"


def start(
    *,
    company: Company,
    content: bytes,
    file_name: str,
    mapping: Mapping[str, Any],
    on: date,
    dry_run: bool,
    with_history: bool = False,
    user: User | None,
) -> Job:
    """Keeps the file and starts the job. A file or mapping that can't be read is refused here, before there is a job.

    A finished dry run's job holds what `start` needs for the real one: `job.params`.
    """
    parsed = mappings.parse(mapping)
    parsed.check_columns(reading.read(content, delimiter=parsed.delimiter, sheet=parsed.sheet).columns)
    with transaction.atomic():
        stored = files.store(
            company_id=company.pk, name=file_name, media_type=reading.media_type(content), content=content
        )
        params = {
            "file": stored.pk,
            "mapping": dict(mapping),
            "on": on.isoformat(),
            "dry_run": dry_run,
            "with_history": with_history,
        }
        return jobs.start(company_id=company.pk, name=KIND, params=params, user=user)


@jobs.kind(KIND)
def import_subscriptions(job: Job, progress: Progress) -> dict[str, Any]:
    """Params: `file` (id of the stored file), `mapping` (plain values), `on` (ISO), `dry_run`, `with_history`."""
    company = Company.objects.get(pk=job.company_id)
    params = job.params
    stored = StoredFile.objects.get(pk=params["file"], company=company)
    user = job.requested_by
    common: dict[str, Any] = {
        "company": company,
        "content": bytes(stored.content),
        "file_name": stored.name,
        "mapping": params["mapping"],
        "on": date.fromisoformat(params["on"]),
        "with_history": bool(params.get("with_history", False)),
        "by": Actor.of_user(user) if user is not None else Actor.system("import"),
        "at": clock.now(company),
        "told": lambda done, total: progress.set(done=done, total=total),
    }
    if params.get("dry_run", True):
        return writing.check(**common).as_json()

    def begun(source: Import) -> None:
        job.result = {"import_id": source.pk}
        job.save(update_fields=["result"])

    resumes = Import.objects.filter(pk=job.result.get("import_id"), company=company).first()
    outcome = writing.run(**common, resumes=resumes, begun=begun)
    progress.set(done=outcome.lines, skipped=outcome.known, failed=outcome.failed)
    return outcome.as_json()
