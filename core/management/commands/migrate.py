"""`manage.py migrate`: Django's own command; it draws less between two operations (`core.model_states`)."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate

from core.model_states import only_changed_models_are_drawn


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with only_changed_models_are_drawn():
            super().handle(*args, **options)
