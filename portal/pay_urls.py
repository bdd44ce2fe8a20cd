"""Addresses that are mailed to customers and told to providers. They are signed, and open without signing in."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from portal.views import mailings, mandates, methods, paying, quotes, reminders, unsubscribing

urlpatterns: list[URLPattern | URLResolver] = [
    path("pay/go/", paying.go, name="pay-go"),
    path("pay/on/<str:attempt>/", paying.on, name="pay-on"),
    path("pay/back/<str:attempt>/<str:what>/", paying.back, name="pay-back"),
    path("pay/methods/<str:token>/", methods.by_link, name="pay-methods"),
    path("pay/methods/<str:token>/mandate/", mandates.by_link, name="pay-methods-mandate"),
    path("pay/methods/<str:token>/back/", methods.by_link_back, name="pay-methods-back"),
    path("pay/<str:token>/", paying.pay, name="pay"),
    path("pay/<str:token>/mandate/", mandates.to_pay, name="pay-mandate"),
    path("q/<str:token>/", quotes.quote, name="quote"),
    path("q/<str:token>/pdf/", quotes.pdf, name="quote-pdf"),
    path("unsubscribe/<str:token>/", unsubscribing.unsubscribe, name="unsubscribe"),
    path("r/<str:token>/", reminders.reminder, name="reminder"),
    path("m/<str:token>/", mailings.mailing, name="mailing"),
    path("portal/methods/back/", methods.back, name="portal-methods-back"),
]
