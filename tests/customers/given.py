"""Who acts, when, and where customers live."""

from __future__ import annotations

from datetime import UTC, datetime

from core.actors import Actor

BY = Actor.system("tests")
AT = datetime(2026, 3, 15, 10, 0, tzinfo=UTC)
LATER = datetime(2026, 3, 16, 10, 0, tzinfo=UTC)
ADDRESS = {"lines": ["Hauptstr. 1"], "postal_code": "10115", "city": "Berlin", "country": "DE"}
