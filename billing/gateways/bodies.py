"""Messages of providers as staff may read them: what they are about, without what they say about people.

The rule that matters: a text is shown only where its name is known to hold no personal data; the rest is hidden.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

HIDDEN: Final = "•••"
#: Members whose texts say nothing about a person.
SHOWN: Final = frozenset(
    {
        "id", "object", "type", "event_type", "event_version", "resource_type", "resource_version", "status", "state",
        "currency", "currency_code", "reason", "code", "decline_code", "failure_code", "created", "create_time",
        "update_time", "api_version", "brand", "last4", "network_status", "outcome", "intent", "mode", "final_capture",
        "payment_intent", "charge", "payment_method", "balance_transaction", "customer", "latest_charge", "invoice_id",
        "custom_id", "dispute_id", "dispute_state", "dispute_life_cycle_stage", "capture_method", "usage",
        "idempotency_key", "request", "method", "rel",
    }
)  # fmt: skip
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def shown(body: bytes) -> str:
    """The message as indented JSON with personal data hidden; empty for what is no JSON.

    >>> print(shown(b'{"id": "evt_1", "email": "ada@example.com", "amount": 5}'))
    {
      "id": "evt_1",
      "email": "•••",
      "amount": 5
    }
    """
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    return json.dumps(_hidden("", found), indent=2, ensure_ascii=False)


def _hidden(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(name, inner) for inner in value]
    if isinstance(value, str) and value:
        is_amount = name in ("value", "amount") and _NUMBER.fullmatch(value)
        return value if name in SHOWN or is_amount else HIDDEN
    return value
