"""Large bank statements as long work with a page of its own; small ones are read in at once.

The rule that matters: the file is read before there is a job, so that one that can't be read is refused where it was
given; a job that stopped reads the same file in again, which adds only what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from billing import bank_formats
from billing.bank_formats.base import MOST_PROBLEMS
from billing.models import BankLine
from billing.services import statements
from billing.services.statements import Imported
from core import clock
from core.actors import Actor
from core.models import Company, Job, StoredFile, User
from core.services import files, jobs
from core.services.jobs import Progress
from core.texts import checked

KIND: Final = "import_statement"
#: Lines that are read in at once; a file of more becomes a job.
AT_ONCE: Final = 2_000


def take_in(
    *,
    company: Company,
    data: bytes,
    name: str,
    by: Actor,
    at: datetime,
    format: str = "",
    columns: Mapping[str, str] | None = None,
    account: str = "",
    currency: str = "",
) -> Imported | Job:
    """What came of the file, or the job that reads it in. Otherwise as `statements.import_statement`."""
    checked(name, field="name", limit=200)
    kind, found = bank_formats.read(data, format=format, columns=columns, currency=currency or company.currency)
    if sum(len(statement.lines) for statement in found) <= AT_ONCE:
        return statements.import_read(
            company=company, kind=kind, found=found, data=data, name=name, account=account, by=by, at=at
        )
    with transaction.atomic():
        # The name under which reading in keeps it, so that it is kept once.
        stored = files.store(
            company_id=company.pk, name=name or kind, media_type=statements.MEDIA_TYPES[kind], content=data
        )
        params = {
            "file": stored.pk, "format": format, "columns": dict(columns) if columns else None, "account": account,
            "currency": currency, "by": [by.kind, by.id, by.label],
        }  # fmt: skip
        user = User.objects.filter(pk=by.user_id).first() if by.user_id is not None else None
        return jobs.start(company_id=company.pk, name=KIND, params=params, user=user)


@jobs.kind(KIND)
def import_statement(job: Job, progress: Progress) -> dict[str, Any]:
    """Params: `file` (id of the stored file), `format`, `columns`, `account`, `currency` as given, `by` (who)."""
    company, params = Company.objects.get(pk=job.company_id), job.params
    stored = StoredFile.objects.get(pk=params["file"], company=company)
    kind, id_, label = params["by"]
    data = stored.content
    form, found = bank_formats.read(
        data, format=params["format"], columns=params["columns"], currency=params["currency"] or company.currency
    )
    result = statements.import_read(
        company=company, kind=form, found=found, data=data, name=stored.name, account=params["account"],
        told=lambda done, total: progress.set(done=done, total=total),
        by=Actor(kind, id_, label, job.requested_by_id), at=clock.now(company),
    )  # fmt: skip
    progress.set(skipped=result.known)
    return {
        "lines": result.new + result.known,
        "new": result.new,
        "known": result.known,
        **{str(state): result.ended.get(state, 0) for state in BankLine.State.values},
        "statements": [statement.ref for statement in result.statements],
        "problems": [[one.place, one.code, one.params] for one in result.problems[:MOST_PROBLEMS]],
        "problem_count": len(result.problems),
    }
