"""Rights are names of acts. A role is a set of them, granted per company; doors check, in one way.

The same names are the scopes of API keys, grouped as `resource:read` and `resource:write`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from core.models import Company, User

RIGHTS: dict[str, str | Promise] = {
    "customer.read": _("See customers"),
    "customer.write": _("Create and change customers"),
    "catalog.read": _("See the catalog"),
    "catalog.write": _("Change products, plans, prices and taxes"),
    "subscription.read": _("See subscriptions"),
    "subscription.start": _("Start subscriptions"),
    "subscription.change": _("Change, pause and resume subscriptions, give discounts and add items"),
    "subscription.cancel": _("Cancel subscriptions and take it back"),
    "subscription.override": _("Override minimum terms and date acts back"),
    "usage.read": _("See usage"),
    "usage.write": _("Send usage"),
    "invoice.read": _("See invoices and credit notes"),
    "invoice.issue": _("Issue and send invoices"),
    "invoice.credit": _("Write credit notes and void invoices"),
    "payment.read": _("See payments"),
    "payment.write": _("Record, allocate and refund payments"),
    "run.read": _("See billing runs"),
    "run.start": _("Start billing runs"),
    "import.run": _("Import subscriptions"),
    "report.read": _("See reports"),
    "task.read": _("See tasks and alerts"),
    "task.write": _("Create, assign and finish tasks"),
    "lead.read": _("See leads and the pipeline"),
    "lead.write": _("Enter, change and convert leads"),
    "quote.read": _("See quotes"),
    "quote.write": _("Write quotes"),
    "quote.send": _("Send quotes and accept them for customers"),
    "reminder.read": _("See reminder rules, offers and mail texts"),
    "reminder.write": _("Change reminder rules, offers and mail texts"),
    "segment.read": _("See segments and who is in them"),
    "segment.write": _("Make and change segments"),
    "campaign.read": _("See mailings and their results"),
    "campaign.write": _("Write and send mailings"),
    "webhook.read": _("See webhook endpoints and what they were sent"),
    "webhook.write": _("Change webhook endpoints and send again"),
    "settings.read": _("See settings and the audit log"),
    "settings.write": _("Change settings, people and keys"),
    "sandbox.open": _("Open sandboxes"),
    "clock.advance": _("Advance a test company's clock"),
}

ROLES: dict[str, tuple[str | Promise, frozenset[str]]] = {
    "admin": (_("Administrator"), frozenset(RIGHTS)),
    "accounting": (
        _("Accounting"),
        frozenset(RIGHTS) - {"settings.write", "catalog.write", "clock.advance", "sandbox.open", "webhook.write"},
    ),
    "sales": (
        _("Sales"),
        frozenset(
            {
                "customer.read",
                "customer.write",
                "catalog.read",
                "subscription.read",
                "subscription.start",
                "subscription.change",
                "subscription.cancel",
                "usage.read",
                "invoice.read",
                "payment.read",
                "report.read",
                "task.read",
                "task.write",
                "lead.read",
                "lead.write",
                "quote.read",
                "quote.write",
                "quote.send",
                "reminder.read",
                "reminder.write",
                "segment.read",
                "segment.write",
                "campaign.read",
                "campaign.write",
            }
        ),
    ),
    "support": (
        _("Support"),
        frozenset(
            {
                "customer.read",
                "customer.write",
                "catalog.read",
                "subscription.read",
                "subscription.change",
                "subscription.cancel",
                "usage.read",
                "invoice.read",
                "payment.read",
                "task.read",
                "task.write",
                "lead.read",
                "quote.read",
            }
        ),
    ),
    "viewer": (_("Viewer"), frozenset(right for right in RIGHTS if right.endswith(".read"))),
}


def rights_of(user: User, company: Company) -> frozenset[str]:
    """What `user` may do in `company`."""
    if not user.is_active:
        return frozenset()
    if user.is_superuser:
        return frozenset(RIGHTS)
    from core.models import Membership  # the models import nothing of this module

    rows = Membership.objects.filter(user=user, company=company).values_list("role__rights", flat=True)
    return frozenset(right for rights in rows for right in rights)


def needs(right: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Guards a staff view: `request.company` must be set and the signed-in user hold `right` there."""
    if right not in RIGHTS:
        raise LookupError(f"unknown right {right!r}")

    def guard(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(request: Any, *args: Any, **kwargs: Any) -> Any:
            if not request.user.is_authenticated:
                from django.contrib.auth.views import redirect_to_login

                return redirect_to_login(request.get_full_path())
            if request.company is None or right not in request.rights:
                raise PermissionDenied(right)
            return view(request, *args, **kwargs)

        guarded.right = right  # type: ignore[attr-defined]
        return guarded

    return guard
