"""Every address of the product: three doors beside each other, and the sign-in they share."""

from __future__ import annotations

from django.urls import include, path

from api import mail_webhooks
from api.webhooks_in import receive
from backoffice.views import calendars, tie_files
from core import health
from core.views import front_door

urlpatterns = [
    path("", front_door, name="front-door"),
    path("metrics", health.metrics, name="metrics"),
    path("accounts/", include("allauth.urls")),
    path("ui/", include("core.design.urls")),
    path("api/v1/", include("api.urls")),
    path("office/", include("backoffice.urls")),
    # Before the portal's own: the first part of its last addresses may be any company's.
    path("", include("portal.pay_urls")),
    path("portal/", include("portal.urls")),
    path("calendar/<str:token>.ics", calendars.feed, name="calendar-feed"),
    path("tie-files/<str:token>/<slug:name>.csv", tie_files.feed, name="tie-files"),
    path("webhooks/mail/<str:provider>/", mail_webhooks.receive, name="mail-webhooks-in"),
    path("webhooks/<str:gateway>/", receive, name="webhooks-in"),
]
