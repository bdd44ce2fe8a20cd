"""The one timeline of a customer as `parts/timeline` draws it: icon, tone and link of each entry."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.dateparse import parse_datetime

from crm.models import Lead, Task
from crm.services import lead_timeline
from customers.models import Customer
from customers.services import timeline

SHOWN = 30
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
    "lead": ("user-round", "info"),
    "quote": ("file-text", "info"),
    "activity.call": ("phone", ""),
    "activity.meeting": ("users", "info"),
    "activity.visit": ("map-pin", "info"),
    "activity.mail_in": ("inbox", ""),
    "activity.mail_out": ("mail", ""),
}
PAGES = {
    "invoice": "invoice",
    "credit_note": "credit-note",
    "subscription": "subscription",
    "payment": "payment",
    "customer": "customer",
    "task": "task",
    "lead": "lead",
    "quote": "quote",
    "activity": "activity",
}


def _of_tasks(entries: list[Any]) -> dict[str, str]:
    """The titles of the tasks that entries are about; events hold none, as they may name people."""
    refs = {entry.link_id for entry in entries if entry.link_kind == "task" and entry.link_id}
    ids = [Task.public_id_of(ref) for ref in refs]
    return {task.ref: task.title for task in Task.objects.filter(public_id__in=ids)} if ids else {}


def _drawn(entry: Any, tasks: dict[str, str]) -> dict[str, Any]:
    kind = f"activity.{entry.facts['kind']}" if entry.kind == "activity" else entry.link_kind or entry.kind
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
        "quote": entry.kind in ("note", "message", "activity"),
        "url": url,
    }


def of_customer(customer: Customer, *, limit: int = SHOWN) -> list[dict[str, Any]]:
    """The newest entries."""
    entries = list(timeline.timeline(customer=customer, before=None, limit=limit))
    tasks = _of_tasks(entries)
    return [_drawn(entry, tasks) for entry in entries]


def page_of_lead(request: HttpRequest, lead: Lead, *, quotes: bool, tasks: bool) -> dict[str, Any]:
    """A page of a lead's timeline and the address of the older entries, if there are some."""
    entries = lead_timeline.of_lead(lead, before=_before(request), limit=SHOWN, quotes=quotes, tasks=tasks)
    told = _of_tasks(entries)
    drawn = [_drawn(entry, told) for entry in entries]
    here = reverse("backoffice:lead", args=[lead.ref])
    return {
        "timeline": [one | {"url": "" if one["url"] == here else one["url"]} for one in drawn],
        "older_url": _older(entries, "?"),
    }


def page_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    """A page of the timeline and the address of the older entries, if there are some."""
    entries = list(timeline.timeline(customer=customer, before=_before(request), limit=SHOWN))
    tasks = _of_tasks(entries)
    return {"timeline": [_drawn(entry, tasks) for entry in entries], "older_url": _older(entries, "?tab=timeline&")}


def _before(request: HttpRequest) -> datetime | None:
    """The instant from which on older entries are asked for; what is none asks for the newest."""
    try:
        found = parse_datetime(request.GET.get("before", ""))
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _older(entries: list[Any], address: str) -> str:
    """The address of the entries before these; "" where there are none."""
    if len(entries) < SHOWN:
        return ""
    return f"{address}before={entries[-1].at.isoformat().replace('+', '%2B')}"
