"""What is open about a customer or a subscription: alerts and tasks, for their pages."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest

from backoffice.acting import may, own, today
from backoffice.views import alerts
from crm.models import Alert, Task
from customers.models import Customer
from subscriptions.models import Subscription

SHOWN = 20


def of(request: HttpRequest, *, query: str, **about: Customer | Subscription) -> dict[str, Any]:
    """The context of `office/attention.html`: `about` names the customer or the subscription, `query` a new task's."""
    if not may(request, "task.read"):
        return {}
    on: date = today(request)
    open_alerts = alerts.rows_of(request).filter(**about, state=Alert.State.OPEN).order_by("-pk")[:SHOWN]
    tasks = own(request, Task).filter(**about, state=Task.State.OPEN).select_related("owner", "team", "customer")
    return {
        "open_alerts": alerts.drawn(list(open_alerts)),
        "open_tasks": list(tasks.order_by("due_on", "pk")[:SHOWN]),
        "task_query": query,
        "today": on,
    }
