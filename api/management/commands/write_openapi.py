"""`manage.py write_openapi`: writes the description of the API to docs/reference/openapi.json."""

from __future__ import annotations

from typing import Any

import orjson
from django.conf import settings
from django.core.management.base import BaseCommand

from api import schema


class Command(BaseCommand):
    help = "Writes the OpenAPI description to docs/reference/openapi.json."

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.BASE_DIR / "docs" / "reference" / "openapi.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(schema.document(), option=orjson.OPT_INDENT_2) + b"\n")
        self.stdout.write(str(path))
