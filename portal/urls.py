"""Addresses of this door. Rows are named by their outside ids."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from portal.views import (
    brand,
    changes,
    data,
    declaration,
    documents,
    entrance,
    mandates,
    methods,
    offers,
    overview,
    subscriptions,
)

app_name = "portal"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", overview.home, name="home"),
    path("choose/", entrance.choose, name="choose"),
    path("subscriptions/", subscriptions.subscriptions, name="subscriptions"),
    path("subscriptions/<str:ref>/", subscriptions.subscription, name="subscription"),
    path("subscriptions/<str:ref>/offer/", offers.redeem, name="offer"),
    path("subscriptions/<str:ref>/cancel/", subscriptions.cancel, name="cancel"),
    path("subscriptions/<str:ref>/undo-cancel/", subscriptions.undo_cancel, name="undo-cancel"),
    path("subscriptions/<str:ref>/change/", changes.change_plan, name="change"),
    path("subscriptions/<str:ref>/seats/", changes.change_seats, name="seats"),
    path("subscriptions/<str:ref>/pause/", changes.pause, name="pause"),
    path("subscriptions/<str:ref>/resume/", changes.resume, name="resume"),
    path("changes/<str:ref>/take-back/", changes.take_back, name="take-back"),
    path("receipts/<str:ref>/", subscriptions.receipt, name="receipt"),
    path("invoices/", documents.invoices, name="invoices"),
    path("invoices/<str:ref>/", documents.invoice, name="invoice"),
    path("invoices/<str:ref>/pdf/", documents.invoice_pdf, name="invoice-pdf"),
    path("credit-notes/", documents.credit_notes, name="credit-notes"),
    path("credit-notes/<str:ref>/", documents.credit_note, name="credit-note"),
    path("credit-notes/<str:ref>/pdf/", documents.credit_note_pdf, name="credit-note-pdf"),
    path("methods/", methods.methods, name="methods"),
    path("methods/add/<str:gateway>/", methods.add, name="method-add"),
    path("methods/mandate/", mandates.sign, name="mandate"),
    path("methods/for/<str:ref>/", methods.use_for, name="method-for"),
    path("methods/<str:ref>/default/", methods.make_default, name="method-default"),
    path("methods/<str:ref>/remove/", methods.remove, name="method-remove"),
    path("data/", data.data, name="data"),
    path("data/change/", data.edit_data, name="data-edit"),
    path("data/news/", data.news, name="news"),
    path("data/export/", data.export, name="export"),
    path("colleagues/", data.colleagues, name="colleagues"),
    path("colleagues/invite/", data.add_colleague, name="colleague-add"),
    path("colleagues/<str:ref>/", data.edit_colleague, name="colleague"),
    path("colleagues/<str:ref>/invite/", data.invite_colleague, name="colleague-invite"),
    path("colleagues/<str:ref>/remove/", data.remove_colleague, name="colleague-remove"),
    path("<slug:slug>/cancel/", declaration.declare, name="public-cancel"),
    path("<slug:slug>/cancel/receipt/", declaration.receipt, name="public-receipt"),
    path("<slug:slug>/theme.css", brand.theme, name="theme"),
    path("<slug:slug>/logo", brand.logo, name="logo"),
]
