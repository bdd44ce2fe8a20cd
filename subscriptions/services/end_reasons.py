"""Why a contract ends: the codes both doors offer, in the words of the house.

The rule that matters: one reason has one code, whoever says it, or reports would count it twice.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

WORDS = {
    "too_expensive": _("too expensive"),
    "not_used": _("not used"),
    "missing_features": _("something is missing"),
    "quality": _("unhappy with the service"),
    "switching": _("goes to somebody else"),
    "closing": _("closes down"),
    "moved": _("moved away"),
    "payment": _("does not pay"),
    "other": _("other"),
}
#: Ends that follow a right of their own; no door offers them among the reasons of a cancellation.
EXITS = {
    "withdrawal": _("withdrawal"),
    "extraordinary": _("ended for good cause"),
}
