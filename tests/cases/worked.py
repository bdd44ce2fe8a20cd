"""The worked cases as data: read once, in the order of the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("worked.json").read_text())
