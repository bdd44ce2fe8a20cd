"""Events of the company itself and of its webhook endpoints."""

from django.utils.translation import gettext_lazy as _

from core.services.event_types import register

_ENDPOINT = "whe_01k2v9gq4m5xk8r3h7d1w6n0tz"

register(
    {
        "company.opened": (_("The company was opened."), {
            "id": "com_01k2v9gq4m5xk8r3h7d1w6n0tz", "slug": "nordwind", "live": True,
        }),
        "company.updated": (_("Settings of the company changed; the fields are named."), {
            "id": "com_01k2v9gq4m5xk8r3h7d1w6n0tz", "fields": ["email", "payment_days"],
        }),
        "webhook_endpoint.created": (_("A webhook endpoint was made."), {"id": _ENDPOINT, "is_active": True}),
        "webhook_endpoint.updated": (_("A webhook endpoint changed; the fields are named."), {
            "id": _ENDPOINT, "is_active": True, "fields": ["types"],
        }),
        "webhook_endpoint.secret_rotated": (_("A webhook endpoint got a new secret."), {
            "id": _ENDPOINT, "is_active": True, "overlap_hours": 24,
        }),
        "webhook_endpoint.disabled": (
            _("A webhook endpoint is not used any more: by hand, gone (410) or failing for 72 hours."), {
                "id": _ENDPOINT, "is_active": False, "reason": "failing", "given_up": 12,
            },
        ),
        "webhook_endpoint.enabled": (_("A webhook endpoint is used again."), {"id": _ENDPOINT, "is_active": True}),
        "webhook_endpoint.tested": (_("A test, sent to the one endpoint that is tested."), {
            "id": _ENDPOINT, "is_active": True,
        }),
    }
)  # fmt: skip
