"""Every address of the product: three doors beside each other, and the sign-in they share."""

from __future__ import annotations

from django.urls import include, path

from core.views import front_door

urlpatterns = [
    path("", front_door, name="front-door"),
    path("accounts/", include("allauth.urls")),
    path("ui/", include("core.design.urls")),
    path("api/v1/", include("api.urls")),
    path("office/", include("backoffice.urls")),
    path("portal/", include("portal.urls")),
]
