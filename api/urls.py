"""Addresses of this door. Every resource brings its own."""

from __future__ import annotations

from importlib import import_module

from django.urls import URLPattern, URLResolver, path

from api import docs

RESOURCES = (
    "merging",
    "customers",
    "personal_data",
    "vat_checks",
    "messages",
    "mails",
    "products",
    "plans",
    "taxes",
    "subscriptions",
    "meters",
    "usage",
    "changes",
    "version_moves",
    "pauses",
    "one_offs",
    "drafts",
    "invoices",
    "invoice_acts",
    "credit_notes",
    "accounts",
    "payments",
    "refunds",
    "payouts",
    "attempts",
    "payment_methods",
    "disputes",
    "gateways",
    "bank",
    "dunning",
    "credits",
    "runs",
    "discounts",
    "given_discounts",
    "bulk_acts",
    "imports",
    "sandboxes",
    "leads",
    "quotes",
    "activities",
    "tasks",
    "alerts",
    "reminders",
    "segments",
    "mailings",
    "ties",
    "facts",
    "reports",
    "webhooks",
)

app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("openapi.json", docs.openapi, name="openapi"),
    path("docs", docs.page, name="docs"),
]
for resource in RESOURCES:
    urlpatterns += import_module(f"api.resources.{resource}").urlpatterns
urlpatterns += [path("", docs.nothing), path("<path:rest>", docs.nothing)]
