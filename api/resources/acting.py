"""Acts on a subscription, each with its twin that previews it: the two read one body and carry out one plan.

The rule that matters: a preview never takes a token, and nobody overrides the contract's terms without the scope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import URLPattern, path
from rest_framework.request import Request

from api.fields import Body
from api.problems import Problem
from api.resources.previews import PreviewShape
from api.resources.subscriptions import OVERRIDE, SubscriptionShape, SubscriptionView
from api.views import ResourceView, operation
from billing.services.acting import ActResult

#: Gets the view, the ids of the address and the body; finds the rows, and answers with what is to be done.
Plan = Callable[[SubscriptionView, dict[str, str], dict[str, Any]], Callable[[], ActResult]]


def twins(
    address: str,
    plan: Plan,
    summary: str,
    body: type[Body],
    *,
    right: str,
    description: str = "",
    refusals: Sequence[str] = (),
    base: type[SubscriptionView] = SubscriptionView,
) -> list[URLPattern]:
    """The addresses of an act and of its preview. `base`: what else the act's own address answers."""

    def planned(view: SubscriptionView, ids: dict[str, str], given: dict[str, Any]) -> Callable[[], ActResult]:
        if given.get("override") and OVERRIDE not in view.rights:
            raise Problem(403, "scope_missing", scope="subscriptions:override")
        return plan(view, ids, given)

    def doing() -> Callable[..., HttpResponse]:
        @operation(
            summary, right=right, body=body, answer=SubscriptionShape, description=description,
            refusals=[*refusals, "preview.differs"],
        )  # fmt: skip
        def post(self: SubscriptionView, request: Request, given: dict[str, Any], **ids: str) -> HttpResponse:
            return self.done(planned(self, ids, given)())

        return post

    def trying() -> Callable[..., HttpResponse]:
        @operation(f"Preview: {summary[0].lower()}{summary[1:]}", right=right, body=body, answer=PreviewShape)
        def post(self: SubscriptionView, request: Request, given: dict[str, Any], **ids: str) -> HttpResponse:
            given.pop("preview_token", None)
            return self.seen(planned(self, ids, given))

        return post

    title = "".join(part.capitalize() for part in summary.split())
    does: Any = type(title, (base,), {"post": doing()})
    tries: Any = type(f"Preview{title}", (SubscriptionView,), {"post": trying(), "rows": _bare})
    return [path(address, does.as_view()), path(f"{address}/preview", tries.as_view())]


def _bare(view: SubscriptionView) -> QuerySet[Any]:
    """A preview reads positions itself, with the customer held, and shows none of them."""
    return ResourceView.rows(view).select_related("customer", "plan")


def on_subscription(act: Callable[..., ActResult]) -> Plan:
    """The plan of an act whose address names a subscription."""

    def plan(view: SubscriptionView, ids: dict[str, str], given: dict[str, Any]) -> Callable[[], ActResult]:
        row = view.find(ids["subscription"])
        return lambda: act(subscription=row, by=view.by, at=view.at, **given)

    return plan
