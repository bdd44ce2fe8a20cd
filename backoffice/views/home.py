"""Home: what to do today, as counted links to lists; then money in, at risk, and recurring revenue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice import exports
from backoffice.acting import may, own, today
from backoffice.pages import crumbs, page
from backoffice.views import tasks
from billing.models import Invoice, InvoiceBalance, Payment, PaymentBalance, Refund
from core import clock
from core.design import formats
from core.design.charts import Chart, Series, bar_chart
from core.models import Outbox, WebhookEndpoint
from core.rights import needs
from crm.models import Task
from crm.services import alert_inbox
from reporting import mrr
from subscriptions.models import Subscription

COUNTED = 1000
MONTHS = 12


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


def _sums(rows: QuerySet[Any], column: str) -> dict[str, int]:
    return {currency: int(total) for currency, total in rows.values_list("currency").annotate(Sum(column)) if total}


@needs("customer.read")
def index(request: HttpRequest) -> HttpResponse:
    on = today(request)
    context: dict[str, Any] = {"title": _("Home"), "todo": _todo(request), "on": on}
    balances = InvoiceBalance.objects.filter(company_id=request.company.pk, status=InvoiceBalance.Status.OPEN)
    if may(request, "payment.read"):
        received = own(request, Payment).filter(
            status=Payment.Status.SETTLED, received_on__gte=on.replace(day=1), received_on__lte=on
        )
        context["cash"] = _sums(received, "amount_minor")
    if may(request, "invoice.read"):
        context["at_risk"] = _sums(balances.filter(payment_due_on__lt=on), "open_minor")
        context["open"] = _sums(balances, "open_minor")
    return page(request, "home", context)


@needs("report.read")
def revenue(request: HttpRequest) -> HttpResponse:
    """Recurring revenue by month: movements, customers, churn; as a page, and as CSV."""
    reports = mrr.recurring_revenue(company=request.company, on=today(request))
    if request.GET.get("format") == "csv":
        return _csv(reports)
    own_currency = request.company.currency
    reports.sort(key=lambda report: report.currency != own_currency)
    title = _("Recurring revenue")
    context = {
        "title": title,
        "crumbs": crumbs((_("Home"), reverse("backoffice:home")), (title, "")),
        "reports": [_shown(report) for report in reports],
    }
    return page(request, "revenue", context)


def _shown(report: mrr.RecurringRevenue) -> dict[str, Any]:
    months, currency = report.months[-MONTHS:], report.currency
    last, before = months[-1], months[0].opening_minor
    return {
        "currency": currency,
        "mrr_minor": report.mrr_minor,
        "arr_minor": report.mrr_minor * 12,
        "customers": report.customers,
        "delta_minor": report.mrr_minor - last.opening_minor,
        "rising": report.mrr_minor >= last.opening_minor,
        "churn": last.revenue_churn,
        "customer_churn": last.customer_churn,
        "lost": last.customers_lost,
        "chart": _chart(months, currency, before, report.mrr_minor),
        "months": list(reversed(months)),
    }


def _chart(months: list[mrr.Month], currency: str, before: int, now_minor: int) -> Chart:
    if not before:
        title = _("Recurring revenue reached %(amount)s") % {"amount": formats.money(now_minor, currency)}
    else:
        change = (now_minor - before) / before
        share = formats.percent(abs(change))
        title = (
            _("Recurring revenue grew by %(share)s in %(count)s months")
            if change >= 0
            else _("Recurring revenue fell by %(share)s in %(count)s months")
        ) % {"share": share, "count": len(months)}
    kinds = [
        ("new", _("New"), 2),
        ("reactivation", _("Came back"), 3),
        ("expansion", _("Grew"), 1),
        ("contraction", _("Shrank"), 5),
        ("churn", _("Left"), 4),
    ]
    return bar_chart(
        title=title,
        labels=[formats.month(one.month) for one in months],
        series=[Series(name, [one.movements[kind] for one in months], tone) for kind, name, tone in kinds],
        value=lambda minor: formats.money(int(minor), currency, signed=True),
        axis=lambda minor: formats.money_short(int(minor), currency),
    )


def _csv(reports: list[mrr.RecurringRevenue]) -> HttpResponse:
    head = [
        "currency",
        "month",
        "opening",
        *mrr.KINDS,
        "closing",
        "customers",
        "customers_lost",
        "revenue_churn_percent",
    ]
    rows = (
        [report.currency, month.month.isoformat()[:7], exports.amount(month.opening_minor, report.currency),
         *(exports.amount(month.movements[kind], report.currency) for kind in mrr.KINDS),
         exports.amount(month.closing_minor, report.currency), month.customers_closing, month.customers_lost,
         month.revenue_churn]
        for report in reports
        for month in report.months
    )  # fmt: skip
    return exports.csv_response("recurring-revenue", head, rows)  # type: ignore[return-value]
