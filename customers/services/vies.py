"""Asks VIES, the tax authorities' service, about a VAT id: its REST interface, one call, a time limit.

The rule that matters: only a plain yes or no is an answer; whatever else comes back (or nothing) is `NoAnswer`, and
the VAT id is as unchecked as before. Never called inside a transaction. To ask another service, write another `ask`.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Final, NamedTuple

SECONDS: Final = 15
_MOST_BYTES: Final = 65_536
#: VIES writes these for what a member state doesn't tell.
_UNTOLD: Final = {"---", "--", "-"}


class Answer(NamedTuple):
    """What the service said: `proof` is its number for the consultation, given when we named our own VAT id."""

    is_valid: bool
    name: str
    address: str
    proof: str


class NoAnswer(Exception):
    """The service can't say now; the text is its code, such as MS_UNAVAILABLE, or what became of the call."""


def ask(vat_id: str, *, url: str, requester: str = "") -> Answer:
    """The answer about a VAT id with its country letters (EL for Greece). Raises `NoAnswer`.

    `url` is the service's address up to the operation's name; `requester` our own VAT id, for a consultation number.
    """
    body = {"countryCode": vat_id[:2], "vatNumber": vat_id[2:]}
    own = {"requesterMemberStateCode": requester[:2], "requesterNumber": requester[2:]} if requester else {}
    said = _post(f"{url.rstrip('/')}/check-vat-number", {**body, **own})
    error = _error_of(said)
    if error == "INVALID_REQUESTER_INFO" and own:
        # Our own VAT id is not known there: ask without a consultation number rather than not at all.
        said = _post(f"{url.rstrip('/')}/check-vat-number", body)
        error = _error_of(said)
    if error == "INVALID_INPUT":
        return Answer(False, "", "", "")
    if error:
        raise NoAnswer(error)
    is_valid = said.get("valid", said.get("isValid"))
    if not isinstance(is_valid, bool):
        raise NoAnswer("no verdict in the answer")
    return Answer(is_valid, _told(said, "name"), _told(said, "address"), _told(said, "requestIdentifier")[:120])


def _post(url: str, body: dict[str, str]) -> dict[str, Any]:
    if not url.startswith(("https://", "http://")):
        raise NoAnswer("no web address to ask")
    request = urllib.request.Request(  # noqa: S310  the scheme was looked at
        url,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            text = answer.read(_MOST_BYTES)
    except urllib.error.HTTPError as error:
        text = error.read(_MOST_BYTES)
        if not text.lstrip().startswith(b"{"):
            raise NoAnswer(f"HTTP {error.code}") from None
    except (OSError, ValueError) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}"[:300]) from None
    try:
        said = json.loads(text)
    except ValueError:
        raise NoAnswer("the answer is not JSON") from None
    if not isinstance(said, dict):
        raise NoAnswer("the answer is no object")
    return said


def _error_of(said: dict[str, Any]) -> str:
    """The code of a refused question: in its envelope, or in place of the verdict. VIES sends either with 200."""
    wrappers = said.get("errorWrappers")
    if isinstance(wrappers, list) and wrappers and isinstance(wrappers[0], dict):
        return str(wrappers[0].get("error") or "unknown error")[:100]
    if said.get("actionSucceed") is False:
        return "unknown error"
    verdict = said.get("userError", "VALID")
    return "" if verdict in ("VALID", "INVALID", "") else str(verdict)[:100]


def _told(said: dict[str, Any], name: str) -> str:
    text = said.get(name)
    if not isinstance(text, str) or text.strip() in _UNTOLD:
        return ""
    return text.replace("\0", "").strip()
