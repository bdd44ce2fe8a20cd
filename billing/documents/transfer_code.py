"""The code that fills in a bank transfer when a banking app sees it: EPC069-12, version 002, of the payments council.

The rule that matters: it says what the page or paper beside it says, and nothing where no transfer can be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.safestring import SafeString, mark_safe

#: The largest sum the standard can say, in cents.
MOST: Final = 99_999_999_999
NAME, REMITTANCE, VERSION = 70, 140, 13


def words(*, name: str, iban: str, bic: str = "", amount_minor: int, reference: str) -> str:
    """The lines of the code; empty where no such transfer can be made. `amount_minor`: euro cents.

    >>> words(name="Ada", iban="DE02 1203 0000 0000 2020 51", amount_minor=1190, reference="2026-1").split("\\n")[5:8]
    ['Ada', 'DE02120300000000202051', 'EUR11.90']
    """
    iban, name = iban.replace(" ", ""), _line(name)[:NAME]
    if not iban or not name or not 0 < amount_minor <= MOST:
        return ""
    amount = f"EUR{amount_minor // 100}.{amount_minor % 100:02}"
    lines = ["BCD", "002", "1", "SCT", bic.replace(" ", ""), name, iban, amount, "", "", _line(reference)[:REMITTANCE]]
    return "\n".join(lines)


def _line(text: str) -> str:
    return " ".join(text.split())


def drawn(text: str) -> SafeString:
    """The code as an SVG picture without script or style, black on white; empty for no words."""
    if not text:
        return SafeString("")
    import segno  # only those who draw load it

    code = segno.make_qr(text, error="m", boost_error=False, encoding="utf-8")
    if int(code.version) > VERSION:  # the standard allows no larger one
        return SafeString("")
    picture = code.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None)
    return mark_safe(picture)  # noqa: S308  made of squares alone


def of_invoice(body: Mapping[str, Any], seller: Mapping[str, Any]) -> str:
    """The words for a frozen invoice that waits for a transfer in euro; empty for any other."""
    to_pay = body.get("to_pay", body["gross"])
    if body["kind"] != "invoice" or body.get("is_test") or body["currency"] != "EUR" or not seller.get("iban"):
        return ""
    return words(
        name=seller["legal_name"],
        iban=seller["iban"],
        bic=seller.get("bic") or "",
        amount_minor=to_pay,
        reference=body["number"],
    )
