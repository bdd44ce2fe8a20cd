"""Transaction search (v1/reporting/transactions): the list from which a merchant reconciles.

Every movement of the account's balance has an entry with its own code, gross amount and fee; the sum of the settled
ones is what the ledger says. Real PayPal lists a movement up to three hours late; here it is there at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from standins.providers.paypal_desk import MERCHANT, PROVIDER, Desk, instant, integer, new_transaction_id, seconds
from standins.providers.paypal_errors import Json, bad_request
from standins.providers.paypal_money import money
from standins.providers.store import Thing
from standins.providers.wire import Answer

CHECKOUT = "T0006"
SAVED = "T0003"
REFUND = "T1107"
REVERSAL = "T1106"
HOLD = "T1110"
RELEASE = "T1111"
CHARGEBACK = "T1201"
CHARGEBACK_FEE = "T0106"
LONGEST_RANGE = 31 * 24 * 3600
FIELDS = ("transaction_info", "payer_info")


@dataclass(frozen=True)
class Entry:
    """One movement about a capture: minor units with sign, PayPal's fee, state S, P or D, and what it refers to."""

    capture: Thing
    id: str
    code: str
    amount: int
    fee: int
    state: str
    reference: str
    reference_type: str


def record(desk: Desk, entry: Entry) -> None:
    """Write one entry."""
    private, currency = entry.capture.private, entry.capture.private["currency"]
    info: Json = {
        "paypal_account_id": private["payer_id"],
        "transaction_id": entry.id,
        "paypal_reference_id": entry.reference,
        "paypal_reference_id_type": entry.reference_type,
        "transaction_event_code": entry.code,
        "transaction_initiation_date": instant(desk.now),
        "transaction_updated_date": instant(desk.now),
        "transaction_amount": money(currency, entry.amount),
        "transaction_status": entry.state,
        "protection_eligibility": "01",
        "instrument_type": "PAYPAL",
    }
    if entry.fee:
        info["fee_amount"] = money(currency, -entry.fee)
    if invoice := entry.capture.body.get("invoice_id"):
        info["invoice_id"] = invoice
    if custom := entry.capture.body.get("custom_id"):
        info["custom_field"] = custom
    payer = {
        "account_id": private["payer_id"],
        "email_address": private["email"],
        "payer_status": "Y",
        "payer_name": {"alternate_full_name": private["name"]},
        "country_code": "DE",
    }
    desk.new("entry", new_transaction_id(), {"transaction_info": info, "payer_info": payer}, {}, parent=entry.id)


def settle_entry(desk: Desk, transaction_id: str, state: str, fee: int) -> None:
    """An entry that was pending comes to its end, with the fee there is now."""
    for thing in desk.children("entry", transaction_id):
        info = thing.body["transaction_info"]
        info |= {"transaction_status": state, "transaction_updated_date": instant(desk.now)}
        if fee:
            info["fee_amount"] = money(info["transaction_amount"]["currency_code"], -fee)
        desk.put(thing)


def search(desk: Desk) -> Answer:
    """GET /v1/reporting/transactions: a range of 31 days at most, newest first, in pages of up to 500."""
    given = desk.call.request.arguments()
    for name in ("start_date", "end_date"):
        if name not in given:
            raise bad_request("MISSING_REQUIRED_PARAMETER", name, location="query")
    start = seconds(given["start_date"].replace(" ", "+"), "start_date")
    end = seconds(given["end_date"].replace(" ", "+"), "end_date")
    if end < start or end - start > LONGEST_RANGE:
        raise bad_request("INVALID_PARAMETER_VALUE", "end_date", given["end_date"], "query")
    size, page = integer(given, "page_size", 100, 500), integer(given, "page", 1, 2_147_483_647)
    names = given.get("fields", "transaction_info").split(",")
    shown = FIELDS if "all" in names else tuple(name for name in FIELDS if name in names)
    where = {
        f"$.transaction_info.{path}": given[name]
        for name, path in (
            ("transaction_status", "transaction_status"),
            ("transaction_type", "transaction_event_code"),
            ("transaction_currency", "transaction_amount.currency_code"),
        )
        if given.get(name)
    }
    parent = given.get("transaction_id")
    created = {"gte": start, "lte": end}
    total = _count(desk, start, end, where, parent)
    pages = -(-total // size)
    found = desk.tx.find(
        PROVIDER, "entry", parent=parent, created=created, where=where, limit=size, offset=(page - 1) * size
    )
    answer: Json = {
        "transaction_details": [{name: one.body[name] for name in shown} for one in found.things],
        "account_number": MERCHANT["merchant_id"],
        "start_date": instant(start),
        "end_date": instant(end),
        "last_refreshed_datetime": instant(desk.now),
        "page": page,
        "total_items": total,
        "total_pages": pages,
    }
    rest = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in given.items() if name != "page")
    wanted = {"self": page, "first": 1, "last": max(pages, 1)}
    if page > 1:
        wanted["prev"] = page - 1
    if page < pages:
        wanted["next"] = page + 1
    answer["links"] = [
        desk.link(rel, f"/v1/reporting/transactions?{rest}&page={number}") for rel, number in wanted.items()
    ]
    return Answer(200, answer)


def _count(desk: Desk, start: int, end: int, where: dict[str, str], parent: str | None) -> int:
    values = [part for pair in where.items() for part in pair]
    sql = (
        "SELECT count(*) AS n FROM things WHERE provider = ? AND kind = 'entry' AND parent = coalesce(?, parent)"
        " AND created >= ? AND created <= ?"
    )
    sql += " AND json_extract(body, ?) = ?" * len(where)
    return int(desk.tx.rows(sql, (PROVIDER, parent, start, end, *values))[0]["n"])
