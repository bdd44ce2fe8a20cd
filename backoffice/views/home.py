"""Home: what to do today, as counted links to lists; then money in, at risk, and recurring revenue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice import showing
from backoffice.acting import may, own, today
from backoffice.pages import page
from backoffice.views import activities, tasks
from billing.models import Invoice, InvoiceBalance, Payment, PaymentBalance, Refund
from core import clock
from core.models import Outbox, WebhookEndpoint
from core.rights import needs
from crm.models import Task
from crm.services import alert_inbox
from reporting import asking, registry
from subscriptions.models import Subscription

COUNTED = 1000
#: Figures of recurring revenue on the card of home.
CARD = ("mrr", "arr", "customers", "revenue_churn")


def _counts(found: Sequence[QuerySet[Any]]) -> list[int]:
    """How many rows each has, up to 1,000; all in one statement."""
    parts, params = [], []
    for place, rows in enumerate(found):
        sql, given = rows.order_by().values("pk")[:COUNTED].query.sql_with_params()
        parts.append(f"SELECT {place}, count(*) FROM ({sql}) rows_{place}")  # noqa: S608  Django's own statement
        params += given
    if not parts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), params)
        counts = dict(cursor.fetchall())
    return [counts[place] for place in range(len(parts))]


def _todo(request: HttpRequest) -> list[dict[str, Any]]:
    """What waits for somebody; nothing that waits for nobody is shown."""
    company, on = request.company, today(request)
    month = on.replace(day=1)
    begins = datetime.combine(month, time.min, clock.zone(company.time_zone))
    balances = InvoiceBalance.objects.filter(company_id=company.pk, status=InvoiceBalance.Status.OPEN)
    unallocated = PaymentBalance.objects.filter(
        payment__company=company, payment__status=Payment.Status.SETTLED, left_minor__gt=0
    )
    invoices, payments = reverse("backoffice:invoices"), reverse("backoffice:payments")
    rows: list[tuple[str, str, str, str, str, QuerySet[Any]]] = [
        ("task.read", _("Tasks due today"), reverse("backoffice:tasks"), "list-checks", "",
         tasks.in_sight(own(request, Task), on).filter(tasks.mine(request), due_on=on)),
        ("task.read", _("Overdue tasks"), f"{reverse('backoffice:tasks')}", "list-checks", "bad",
         tasks.in_sight(own(request, Task), on).filter(tasks.mine(request), due_on__lt=on)),
        ("task.read", _("Meetings and calls today"), f"{reverse('backoffice:activities')}?view=planned", "calendar", "",
         activities.of_day(request)),
        ("task.read", _("New alerts"), reverse("backoffice:alerts"), "bell", "bad",
         alert_inbox.unseen(company, request.user)),
        ("invoice.read", _("Overdue invoices"), f"{invoices}?state=overdue", "circle-alert", "bad",
         balances.filter(payment_due_on__lt=on)),
        ("run.read", _("Parked subscriptions"), reverse("backoffice:parked"), "circle-parking", "bad",
         own(request, Subscription).filter(parked_at__isnull=False)),
        ("payment.read", _("Payments not allocated"), f"{payments}?view=unallocated", "wallet", "warn", unallocated),
        ("payment.read", _("Refunds to pay out"), f"{payments}?view=refunds", "hand-coins", "warn",
         own(request, Refund).filter(status=Refund.Status.PENDING)),
        ("settings.read", _("Mails and effects that failed"), reverse("backoffice:outbox"), "send", "bad",
         own(request, Outbox).filter(state=Outbox.State.DEAD)),
        ("webhook.read", _("Webhooks that fail"), reverse("backoffice:webhooks"), "webhook", "bad",
         own(request, WebhookEndpoint).filter(Q(failing_since__isnull=False) | Q(stopped__in=("gone", "failing")))),
        ("invoice.read", _("Drafts to issue"), f"{invoices}?state=draft", "file-pen", "",
         own(request, Invoice).filter(issued_on__isnull=True)),
        ("subscription.read", _("Cancellations this month"),
         f"{reverse('backoffice:subscriptions')}?asked_from={month.isoformat()}", "calendar-clock", "",
         own(request, Subscription).filter(end_kind="cancel", cancel_asked_at__gte=begins)),
    ]  # fmt: skip
    items = []
    seen = [row for row in rows if may(request, row[0])]
    for (_right, label, url, icon, tone, _rows), count in zip(seen, _counts([row[5] for row in seen]), strict=True):
        if count:
            note = _("or more") if count >= COUNTED else ""
            items.append({"label": label, "url": url, "icon": icon, "tone": tone, "count": count, "note": note})
    return items


def _sums(rows: QuerySet[Any], column: str, own: str) -> dict[str, int]:
    """By currency, the company's `own` first."""
    found = rows.values_list("currency").annotate(Sum(column))
    return {code: int(total) for code, total in sorted(found, key=lambda row: (row[0] != own, row[0])) if total}


@needs("customer.read")
def index(request: HttpRequest) -> HttpResponse:
    on, currency = today(request), request.company.currency
    context: dict[str, Any] = {"title": _("Home"), "todo": _todo(request), "on": on}
    balances = InvoiceBalance.objects.filter(company_id=request.company.pk, status=InvoiceBalance.Status.OPEN)
    if may(request, "payment.read"):
        received = own(request, Payment).filter(
            status=Payment.Status.SETTLED, received_on__gte=on.replace(day=1), received_on__lte=on
        )
        context["cash"] = _sums(received, "amount_minor", currency)
    if may(request, "invoice.read"):
        context["at_risk"] = _sums(balances.filter(payment_due_on__lt=on), "open_minor", currency)
        context["open"] = _sums(balances, "open_minor", currency)
    return page(request, "home", context)


@needs("report.read")
def revenue(request: HttpRequest) -> HttpResponse:
    """The card of home, read after it: the first figures and the picture of the report on recurring revenue."""
    spec, on = registry.named("mrr"), today(request)
    report = registry.build(name=spec.name, company=request.company, asked=asking.asked_of(spec, {}, today=on))
    own_currency = request.company.currency
    currency = min({figure.currency for figure in report.figures}, key=lambda code: code != own_currency, default="")
    by_name = {figure.name: figure for figure in report.figures if figure.currency == currency}
    moved = [plot for plot in report.plots if plot.currency == currency and plot.form != "lines"]
    context = {
        "title": spec.title,
        "tiles": [showing.tile(by_name[name]) for name in CARD if name in by_name],
        "charts": [drawn for plot in moved if (drawn := showing.chart(report, plot))],
        "report_url": reverse("backoffice:report", args=[spec.name]),
    }
    return render(request, "office/home_revenue.html", context)


@needs("report.read")
def moved_revenue(request: HttpRequest) -> HttpResponse:
    """Recurring revenue stood here before there were reports: its address goes on to the report, also for a file."""
    url = reverse("backoffice:report", args=["mrr"])
    return redirect(f"{url}?format=csv&table=months" if request.GET.get("format") == "csv" else url, permanent=True)
