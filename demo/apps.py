"""Registration of the demo: its one tick lets the test company's customers pay."""

from __future__ import annotations

from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "demo"

    def ready(self) -> None:
        from demo import paying  # noqa: F401  registering is its effect
