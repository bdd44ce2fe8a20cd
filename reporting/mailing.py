"""Saved reports by mail: in the morning of the day they are for, to each reader once, with a spreadsheet.

The rule that matters: what is sent is asked anew for each reader, in their language and by their rights of that day.
Only the last day a view was due is made up for, so a long standstill ends in one mail.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy, override

from core import clock
from core.models import Company, StoredFile, User
from core.refusal import Refused
from core.rights import rights_of
from core.services import ticks
from core.workbooks import XLSX, workbook
from customers.models import Message
from customers.services import messages
from reporting import asking, registry, watching, words
from reporting.models import ReportMail, ReportReader, SavedReport
from reporting.shapes import Report

#: Local hour from which the mails are written.
MORNING: Final = 7
#: Figures that stand in the text; all of them are in the spreadsheet.
NAMED: Final = 12
TEMPLATE, ATTACHED = "report", "report_mail"
Every = SavedReport.Every


def due_on(every: str, today: date) -> date:
    """The last day up to `today` on whose morning such a mail is due.

    >>> [str(due_on(every, date(2026, 11, 22))) for every in ("day", "week", "month")]
    ['2026-11-22', '2026-11-16', '2026-11-01']
    """
    if every == Every.WEEK:
        return today - timedelta(days=today.weekday())
    return today.replace(day=1) if every == Every.MONTH else today


@ticks.tick(
    "reporting.mails", order=90, every=timedelta(minutes=15), title=gettext_lazy("Reports by mail"),
    text=gettext_lazy("Sends saved reports to those who get them every day, week or month."),
)  # fmt: skip
def mails_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Writes the mails that are due; `refused` counts views that can't be asked any more."""
    local = at.astimezone(clock.zone(company.time_zone))
    if local.hour < MORNING:
        return {"mails": 0, "refused": 0}
    waiting = ReportReader.objects.filter(company=company, user__is_active=True).exclude(view__every="")
    mails = refused = 0
    for reader in waiting.select_related("view", "user").order_by("view_id", "pk"):
        view = reader.view
        day = due_on(view.every, local.date())
        # Who saved it after that morning gets the next one.
        if view.created_at.astimezone(local.tzinfo).date() > day:
            continue
        try:
            mails += _mail(company, view, reader.user, day - timedelta(days=1), at)
        except Refused:
            refused += 1
    return {"mails": mails, "refused": refused}


def _mail(company: Company, view: SavedReport, user: User, on: date, at: datetime) -> int:
    """Writes one mail, once; how many."""
    if ReportMail.objects.filter(view=view, user=user, on=on).exists():
        return 0
    spec = registry.named(view.report)
    if not {"report.read", spec.right} <= rights_of(user, company):
        return 0
    with override(user.language or company.language):
        report = _built(company, view, on)
        context = {
            "name": user.name, "view": view.name, "title": str(spec.title), "on": on, "url": _address(view),
            "figures": _lines(report), "warnings": [str(text) for text in report.warnings],
        }  # fmt: skip
        body = render_to_string("mail/staff/report.txt", context).strip() + "\n"
    with transaction.atomic():
        row, is_new = ReportMail.objects.select_for_update().get_or_create(
            view=view, user=user, on=on, defaults={"company": company}
        )
        if not is_new:
            return 0
        row.message = _message(company, user, f"{company.name}: {view.name}", body, row, at)
        row.save(update_fields=["message"])
    return 1


def _message(company: Company, user: User, subject: str, body: str, row: ReportMail, at: datetime) -> Message:
    return messages.write(
        company=company, customer=None, template=TEMPLATE, language=user.language or company.language,
        subject=subject, body=body, recipients=[user.email], attachments=[{"kind": ATTACHED, "id": row.pk}],
        subject_kind="user", subject_id=user.pk, at=at,
    )  # fmt: skip


def _built(company: Company, view: SavedReport, on: date) -> Report:
    asked = asking.asked_of(registry.named(view.report), watching.question_of(view), today=on)
    return registry.build(name=view.report, company=company, asked=asked)


def _lines(report: Report) -> list[str]:
    return [
        f"{figure.label}{f' ({figure.currency})' if figure.currency else ''}: "
        f"{words.text_of(figure.kind, figure.value, figure.currency)}"
        for figure in report.figures[:NAMED]
    ]


def _address(view: SavedReport) -> str:
    """The page the view is of."""
    try:
        page = reverse("backoffice:report", args=[view.report])
    except NoReverseMatch:  # an installation without that door
        return str(settings.SITE_URL)
    return f"{settings.SITE_URL}{page}?{view.query}" if view.query else f"{settings.SITE_URL}{page}"


@messages.attachment(ATTACHED)
def attached(pk: int) -> StoredFile:
    """The spreadsheet of a mail, as the report stands when it goes out; built for it, and kept nowhere."""
    row = ReportMail.objects.select_related("view", "user", "view__company").get(pk=pk)
    company = row.view.company
    with override(row.user.language or company.language):
        content = workbook(words.sheets_of(_built(company, row.view, row.on), in_words=True))
    name = f"{row.view.report}-{row.on.isoformat()}.xlsx"
    return StoredFile(company=company, name=name, media_type=XLSX, size=len(content), kept=content)
