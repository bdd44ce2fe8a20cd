"""Lines of drafts that a person took over, when days on them are no longer covered.

The rule that matters: a draft is never credited. Its line keeps its amount for the days that stay, in proportion; a
line without days goes, and so does a draft without lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from billing.models import Invoice, InvoiceLine
from billing.services import drafting
from billing.services.noting import Invoiced
from billing.services.reopening import let_go
from billing.services.windows import remove
from core.models import Company


def shorten(
    company: Company, draft: Invoiced, spans: Mapping[int, Sequence[tuple[date, date]]], *, at: datetime
) -> None:
    """Takes the days of these spans [start, end) off the lines of a draft (by id); they are not billed any more."""
    gone: list[int] = []
    for line_id, days in spans.items():
        line = draft.lines[line_id]
        unused = sum((end - start).days for start, end in days)
        worth = line.worth_of(unused)
        line.billed_days -= unused
        if not line.billed_days:
            gone.append(line_id)
            continue
        kept = {"period_end": min(start for start, _ in days), "amount_minor": line.amount_minor - worth}
        calculation = dict(line.calculation)
        if calculation.get("days") and calculation.get("full_days"):
            calculation["days"] = line.days - unused
            if calculation.get("prorated", True):
                calculation["share"] = f"{calculation['days']}/{calculation['full_days']}"
        InvoiceLine.objects.filter(pk=line_id).update(calculation=calculation, **kept)
    let_go(company, gone, "free", at=at)
    InvoiceLine.objects.filter(pk__in=gone).delete()
    if InvoiceLine.objects.filter(invoice=draft.id).exists():
        drafting.recount(Invoice.objects.select_related("company").get(pk=draft.id), at=at)
    else:
        remove([draft.id])
