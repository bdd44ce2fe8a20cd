"""Acts on documents and money: tried first, done with the token of the trial."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.urls import URLPattern, path
from rest_framework.request import Request

from api.resources.previews import TEXT, PreviewDocumentShape
from api.shapes import Computed, Part, PlainShape, Sum, amount_text
from api.views import ResourceView, operation
from billing.services import trying
from customers.models import Customer


class StandingShape(PlainShape):
    """What the customer owes and has in one currency."""

    open = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row[0].open_minor, row[1]), help_text="Still due.")
    credit = Computed(
        Sum.SCHEMA, lambda row, reading: amount_text(row[0].credit_minor, row[1]), help_text="Account credit."
    )
    unallocated = Computed(
        Sum.SCHEMA,
        lambda row, reading: amount_text(row[0].unallocated_minor, row[1]),
        help_text="Paid for nothing yet.",
    )
    to_pay_out = Computed(
        Sum.SCHEMA, lambda row, reading: amount_text(row[0].to_pay_out_minor, row[1]), help_text="Refunds asked for."
    )


class TrialShape(PlainShape):
    """What an act would write, and where the customer would stand. Nothing was changed."""

    documents = Part(PreviewDocumentShape, lambda row: row.documents, many=True)
    currency = Computed(TEXT, lambda row, reading: row.currency)
    money_now = Sum("money_now", help_text="Documents, gross; credit notes below zero.")
    before = Part(StandingShape, lambda row: (row.before, row.currency))
    after = Part(StandingShape, lambda row: (row.after, row.currency))
    mails = Computed(
        {"type": "array", "items": TEXT},
        lambda row, reading: row.mails,
        help_text="Addresses that would get a document.",
    )
    preview_token = Computed(TEXT, lambda row, reading: row.token, help_text="Send it with the act.")


Plan = tuple[Callable[[], Any], Customer | None, str]


class MoneyAct(ResourceView, ABC):
    """An act that moves money: `plan` says what is to be done, `shown` answers with what came of it."""

    @abstractmethod
    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        """What is to be done, whose money moves, in which currency."""

    def shown(self, result: Any) -> HttpResponse:
        return self.fresh(result)


def act(address: str, view: type[MoneyAct], summary: str, **described: Any) -> list[URLPattern]:
    """The addresses of an act and of its twin that tries it; both carry out the very same plan."""

    def doing() -> Callable[..., HttpResponse]:
        @operation(summary, **{**described, "refusals": [*described.get("refusals", ()), "preview.differs"]})
        def post(self: MoneyAct, request: Request, given: dict[str, Any], **ids: str) -> HttpResponse:
            token = given.pop("preview_token", None)
            step, customer, currency = self.plan(given, **ids)
            return self.shown(trying.done(step, customer=customer, currency=currency, token=token))

        return post

    def trying_it() -> Callable[..., HttpResponse]:
        @operation(
            f"Preview: {summary[0].lower()}{summary[1:]}",
            right=described["right"],
            body=described["body"],
            answer=TrialShape,
            description="Does everything the act would do, shows it and takes it back.",
        )
        def post(self: MoneyAct, request: Request, given: dict[str, Any], **ids: str) -> HttpResponse:
            given.pop("preview_token", None)
            step, customer, currency = self.plan(given, **ids)
            return self.shaped(TrialShape, trying.tried(step, customer=customer, currency=currency))

        return post

    does = type(view.__name__, (view,), {"post": doing()})
    tries = type(f"Preview{view.__name__}", (view,), {"post": trying_it(), "http_method_names": ["post"]})
    return [path(f"{address}/preview", tries.as_view()), path(address, does.as_view())]
