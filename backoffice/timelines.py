"""The one timeline of a customer as `parts/timeline` draws it: icon, tone and link of each entry."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from crm.models import Task
from customers.models import Customer
from customers.services import timeline, titles
from subscriptions.services import end_reasons

SHOWN = 30
titles.register(
    {
        "subscription.start": _("Agreed"),
        "subscription.cancel": _("Cancellation planned"),
        "subscription.undo_cancel": _("Cancellation taken back"),
        "subscription.end": _("Subscription ended after cancellation"),
        "subscription.import": _("Import"),
        "import.undo": _("Take the import back"),
        "subscription.park": _("Billing gave up on it"),
        "subscription.converted": _("Trial over, goes on paid"),
    }
)
titles.register_reasons(end_reasons.WORDS)
LOOKS = {
    "note": ("sticky-note", ""),
    "message": ("mail", "info"),
    "invoice": ("file-text", "info"),
    "credit_note": ("undo-2", ""),
    "payment": ("wallet", "good"),
    "subscription": ("repeat", "good"),
    "customer": ("building-2", ""),
    "contact": ("user-round", ""),
    "refund": ("hand-coins", ""),
    "audit": ("history", ""),
    "task": ("list-checks", ""),
    "alert": ("bell", "warn"),
}
PAGES = {
    "invoice": "invoice",
    "credit_note": "credit-note",
    "subscription": "subscription",
    "payment": "payment",
    "customer": "customer",
    "task": "task",
}


def _of_tasks(entries: list[Any]) -> dict[str, str]:
    """The titles of the tasks that entries are about; events hold none, as they may name people."""
    refs = {entry.link_id for entry in entries if entry.link_kind == "task" and entry.link_id}
    ids = [Task.public_id_of(ref) for ref in refs]
    return {task.ref: task.title for task in Task.objects.filter(public_id__in=ids)} if ids else {}


def _drawn(entry: Any, tasks: dict[str, str]) -> dict[str, Any]:
    kind = entry.link_kind or entry.kind
    icon, tone = LOOKS.get("note" if entry.kind == "note" else kind, LOOKS.get(entry.kind, ("circle-dot", "")))
    url = ""
    if entry.link_kind in PAGES and entry.link_id:
        try:
            url = reverse(f"backoffice:{PAGES[entry.link_kind]}", args=[entry.link_id])
        except NoReverseMatch:
            url = ""
    return {
        "at": entry.at,
        "title": entry.title,
        "who": entry.actor,
        "icon": icon,
        "tone": tone,
        "body": entry.text or tasks.get(entry.link_id, ""),
        "quote": entry.kind in ("note", "message"),
        "url": url,
    }


def of_customer(customer: Customer, *, limit: int = SHOWN) -> list[dict[str, Any]]:
    """The newest entries."""
    entries = list(timeline.timeline(customer=customer, before=None, limit=limit))
    tasks = _of_tasks(entries)
    return [_drawn(entry, tasks) for entry in entries]


def page_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    """A page of the timeline and the address of the older entries, if there are some."""
    before = None
    if text := request.GET.get("before", ""):
        try:
            before = parse_datetime(text)
        except ValueError:
            before = None
    entries = list(timeline.timeline(customer=customer, before=before, limit=SHOWN))
    older = f"?tab=timeline&before={entries[-1].at.isoformat().replace('+', '%2B')}" if len(entries) >= SHOWN else ""
    tasks = _of_tasks(entries)
    return {"timeline": [_drawn(entry, tasks) for entry in entries], "older_url": older}
