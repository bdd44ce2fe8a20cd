"""How a page of the back office is drawn: the frame's navigation, where it stands, its status.

Every view answers through `page`; what a page says about rights follows `request.rights`, never the template's guess.
"""

from __future__ import annotations

from typing import Any, TypedDict

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from crm.services import alert_inbox


class Crumb(TypedDict, total=False):
    label: str
    url: str


def crumbs(*pairs: tuple[str, str]) -> list[Crumb]:
    """Where a page stands: (label, address) pairs from the top; the address may be empty."""
    return [{"label": label, "url": url} if url else {"label": label} for label, url in pairs]


def page(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """The page `office/{template}.html` with the navigation around it."""
    bell = unseen(request)
    values = {"nav": navigation(request, bell), "bell": bell, "search_name": "q", **(context or {})}
    return render(request, f"office/{template}.html", values, status=status)


def _group(request: HttpRequest, label: str, items: list[tuple[str, str, str, str, str]]) -> dict[str, Any] | None:
    rights = request.rights  # type: ignore[attr-defined]
    shown = []
    for right, name, words, icon, go in items:
        if right and right not in rights:
            continue
        url = reverse(f"backoffice:{name}")
        here = request.path == url if name == "home" else request.path.startswith(url)
        shown.append({"label": words, "url": url, "icon": icon, "go": go, "current": here})
    return {"label": label, "items": shown} if shown else None


def unseen(request: HttpRequest) -> int:
    """Alerts for this person that nobody took note of, in one statement; none for a part of a page."""
    if "task.read" not in request.rights or request.headers.get("HX-Request"):  # type: ignore[attr-defined]
        return 0
    return alert_inbox.count(request.company, request.user)  # type: ignore[attr-defined, arg-type]


def navigation(request: HttpRequest, bell: int = 0) -> list[dict[str, Any]]:
    """The groups of the side navigation; what may not be opened is not shown. `bell` counts unseen alerts."""
    groups = [
        _group(
            request,
            "",
            [
                ("", "home", _("Home"), "house", "h"),
                ("task.read", "tasks", _("Tasks"), "list-checks", "w"),
                ("task.read", "activities", _("Activities"), "phone", ""),
                ("task.read", "alerts", _("Alerts"), "bell", "u"),
            ],
        ),
        _group(
            request,
            _("Sell"),
            [
                ("lead.read", "leads", _("Leads"), "user-round", "f"),
                ("quote.read", "quotes", _("Quotes"), "file-pen", "q"),
                ("customer.read", "customers", _("Customers"), "users", "c"),
                ("subscription.read", "subscriptions", _("Subscriptions"), "repeat", "s"),
                ("catalog.read", "plans", _("Plans"), "layers", "l"),
                ("catalog.read", "products", _("Products"), "package", "t"),
                ("catalog.read", "meters", _("Meters"), "gauge", "e"),
                ("catalog.read", "discounts", _("Discounts"), "percent", "d"),
                ("reminder.read", "reminders", _("Reminders"), "calendar-clock", "r"),
                ("segment.read", "segments", _("Segments"), "list-filter", "z"),
                ("campaign.read", "mailings", _("Mailings"), "send", "x"),
            ],
        ),
        _group(
            request,
            _("Bill"),
            [
                ("invoice.read", "invoices", _("Invoices"), "file-text", "i"),
                ("invoice.read", "credit-notes", _("Credit notes"), "undo-2", "k"),
                ("payment.read", "payments", _("Payments"), "wallet", "p"),
                ("payment.read", "recovery", _("Recovery"), "life-buoy", "y"),
                ("payment.read", "bank", _("Bank"), "landmark", "a"),
                ("report.read", "reports", _("Reports"), "chart-no-axes-column", "v"),
                ("report.read", "journal", _("Ledger"), "book-open", "g"),
                ("run.read", "runs", _("Billing runs"), "play", "b"),
                ("import.run", "imports", _("Imports"), "upload", "m"),
            ],
        ),
        _group(
            request,
            _("Company"),
            [
                ("customer.read", "messages", _("Mails"), "mail", "n"),
                ("customer.read", "jobs", _("Jobs"), "list-checks", "j"),
                ("settings.read", "settings", _("Settings"), "settings", "o"),
            ],
        ),
    ]
    for group in groups:
        for item in group["items"] if group else ():
            if bell and item["icon"] == "bell":
                item["count"] = bell
    return [group for group in groups if group]
