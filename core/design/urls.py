"""Addresses of the shell's switches, shared by all doors."""

from __future__ import annotations

from django.urls import path

from core.design import views

app_name = "design"

urlpatterns = [
    path("theme/", views.set_theme, name="theme"),
    path("language/", views.set_language, name="language"),
    path("gallery/", views.gallery, name="gallery"),
    path("gallery/brand.css", views.brand, name="brand"),
]
