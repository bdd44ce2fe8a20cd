"""What PayPal says when it refuses: one exception that knows its status and its body.

Two kinds: a request that was wrong (nothing stays of it) and the outcome of a payment (an answer like any other, kept
under its request id).
"""

from __future__ import annotations

from typing import Any

MESSAGES = {
    "INVALID_REQUEST": "Request is not well-formed, syntactically incorrect, or violates schema.",
    "RESOURCE_NOT_FOUND": "The specified resource does not exist.",
    "RESOURCE_CONFLICT": "The server has detected a conflict while processing this request.",
    "UNPROCESSABLE_ENTITY": (
        "The requested action could not be performed, semantically incorrect, or failed business validation."
    ),
    "INTERNAL_SERVER_ERROR": "An internal server error occurred.",
    "METHOD_NOT_SUPPORTED": "The server does not implement the requested HTTP method.",
}
DESCRIPTIONS = {
    "CANNOT_BE_ZERO_OR_NEGATIVE": "An amount must be above zero.",
    "CAPTURE_FULLY_REFUNDED": "Nothing of the capture is left to refund.",
    "CURRENCY_MISMATCH": "All units of an order have one currency.",
    "DECIMALS_NOT_SUPPORTED": "The currency has no decimals.",
    "DECIMAL_PRECISION": "The currency has two decimals at most.",
    "DUPLICATE_INVOICE_ID": "The invoice id was used for a payment before.",
    "INSTRUMENT_DECLINED": "The payer's way to pay was declined, or does not fit this payment.",
    "INSUFFICIENT_FUNDS": "The payer's way to pay has not enough funds.",
    "INVALID_PARAMETER_SYNTAX": "The value has not the form the field asks for.",
    "INVALID_PARAMETER_VALUE": "The value is none of those the field knows.",
    "INVALID_RESOURCE_ID": "Nothing is known by this id.",
    "MISSING_REQUIRED_PARAMETER": "A field is missing.",
    "ORDER_ALREADY_CAPTURED": "The order was captured before, and it may be captured once.",
    "ORDER_NOT_APPROVED": "The payer has not approved the order.",
    "PAYER_ACTION_REQUIRED": "The payer has to act at PayPal before this can go on.",
    "PAYPAL_REQUEST_ID_PREVIOUSLY_USED": "The request id was used with another request.",
    "PAYPAL_REQUEST_ID_REQUIRED": "A payment needs a request id.",
    "PENDING_CAPTURE": "A capture that is pending can't be refunded.",
    "REFUND_AMOUNT_EXCEEDED": "The refund is larger than what is left of the capture.",
    "REFUND_CAPTURE_CURRENCY_MISMATCH": "A refund has the currency of its capture.",
    "REFUND_NOT_ALLOWED": "The capture can't be refunded.",
    "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK": "A chargeback is open on the capture.",
    "TRANSACTION_DISPUTED": "A case is open on the payment: it can't be refunded in part.",
}
Json = dict[str, Any]


class PayPalError(Exception):
    """A refusal with the status and the body PayPal gives it; `debug_id` is put in when it is sent.

    `outcome` marks what became of a payment (declined, the payer must act), as against a request that was wrong.
    """

    def __init__(
        self,
        status: int,
        name: str,
        details: list[Json],
        links: list[Json] | None = None,
        *,
        outcome: bool = False,
    ) -> None:
        super().__init__(f"{status} {name} {details}")
        self.outcome = outcome
        self.status = status
        self.name = name
        self.details = details
        self.links = links or []

    def body(self, debug_id: str) -> Json:
        """The answer's body."""
        issue = self.details[0]["issue"] if self.details else self.name
        about = {
            "href": f"https://developer.paypal.com/docs/api/errors/#{issue}",
            "rel": "information_link",
            "method": "GET",
        }
        return {
            "name": self.name,
            "message": MESSAGES[self.name],
            "debug_id": debug_id,
            "details": self.details,
            "links": [about, *self.links],
        }


class NotLoggedInError(Exception):
    """A 401 of the token endpoint or of a bearer that is not (or no longer) good: OAuth's own small body."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description

    def body(self) -> Json:
        """The answer's body."""
        return {"error": self.error, "error_description": self.description}


def _detail(issue: str, field: str | None, value: Any = None, location: str = "body") -> Json:
    detail: Json = {"issue": issue, "description": DESCRIPTIONS.get(issue, issue.replace("_", " ").capitalize() + ".")}
    if field is not None:
        detail = {"field": field, "location": location, **detail}
    if value is not None:
        detail["value"] = str(value)
    return detail


def bad_request(issue: str, field: str | None, value: Any = None, location: str = "body") -> PayPalError:
    """400: the request has not the form it must have."""
    return PayPalError(400, "INVALID_REQUEST", [_detail(issue, field, value, location)])


def unprocessable(
    issue: str, field: str | None = None, value: Any = None, links: list[Json] | None = None
) -> PayPalError:
    """422: well formed, but business says no. The issue is what a client goes by."""
    return PayPalError(422, "UNPROCESSABLE_ENTITY", [_detail(issue, field, value)], links)


def outcome(issue: str, links: list[Json]) -> PayPalError:
    """422: the payment was tried and did not come about."""
    return PayPalError(422, "UNPROCESSABLE_ENTITY", [_detail(issue, None)], links, outcome=True)


def not_found(field: str, value: str) -> PayPalError:
    """404: no such object, or one of another merchant."""
    return PayPalError(404, "RESOURCE_NOT_FOUND", [_detail("INVALID_RESOURCE_ID", field, value, "path")])
