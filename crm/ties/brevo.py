"""Brevo, API v3: contacts by imports in the background, attributes of our own, who is on its block list.

The rule that matters: an import never takes anybody off the block list; that is done for single people who allowed
advertising anew after we ourselves had put them there. Source: Brevo's API reference; contacts are written by
POST /contacts/import, since POST /contacts/batch ended on 30 October 2026.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import quote

from crm.ties.base import (
    Account,
    Connection,
    Heard,
    Http,
    Left,
    ListUnknown,
    Outgoing,
    Place,
    Pushed,
    Sent,
    Theirs,
    connection,
    joined_name,
    retry_after,
    shared_fields,
    utc,
)

ADDRESS: Final = "https://api.brevo.com/v3"
#: Our values as attributes there, with their types.
ATTRIBUTES: Final[Mapping[str, tuple[str, str]]] = {
    "name": ("FULLNAME", "text"), "company": ("COMPANY_NAME", "text"), "language": ("LANGUAGE", "text"),
    "country": ("COUNTRY", "text"), "customer": ("TURNUS_CUSTOMER", "text"), "state": ("TURNUS_STATE", "text"),
    "plans": ("TURNUS_PLANS", "text"), "mrr": ("TURNUS_MRR", "float"), "currency": ("TURNUS_CURRENCY", "text"),
    "renews_on": ("TURNUS_RENEWS_ON", "date"), "since": ("TURNUS_SINCE", "date"),
    "segments": ("TURNUS_SEGMENTS", "text"),
}  # fmt: skip
#: Attributes that people change there, too; sent where changes are taken over.
PHONE: Final = "PHONE"
BOTH: Final[Mapping[str, str]] = {"FIRSTNAME": "text", "LASTNAME": "text", PHONE: "text"}
#: Addresses of one request that takes them from a list, and contacts of one page.
REMOVED: Final = 150
PAGE: Final = 1000
LISTS_PAGE: Final = 50
#: Seconds between questions whether an import is done; after the last it is asked by the next run.
PATIENCE: Final = (0.1, 0.2, 0.4, 0.8, 1.5, 3.0)


def _wait(headers: Mapping[str, str]) -> int | None:
    """Brevo says in how many seconds its window ends, and sends no Retry-After."""
    reset = headers.get("x-sib-ratelimit-reset", "").strip()
    return int(reset) if reset.isdecimal() else retry_after(headers)


@connection
class Brevo(Connection):
    kind: ClassVar[str] = "brevo"
    portion: ClassVar[int] = 1000

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.http = Http(
            account.address or ADDRESS, {"api-key": account.secret}, wait_of=_wait,
            words_of=lambda body: str(body.get("message", "")) if isinstance(body, dict) else "",
        )  # fmt: skip
        self._names: dict[int, str] | None = None

    @property
    def _list(self) -> int:
        if not self.account.audience.isdecimal():
            raise ListUnknown(self.account.audience)
        return int(self.account.audience)

    def check(self) -> str:
        account = self.http.ask("GET", "/account").body
        found = self.http.ask("GET", f"/contacts/lists/{self._list}", reads=(404,))
        if found.status == 404:
            raise ListUnknown(self.account.audience)
        return f"{account.get('companyName') or account.get('email', '')} · {found.body['name']}"

    def prepare(self) -> None:
        known = {row["name"] for row in self.http.ask("GET", "/contacts/attributes").body["attributes"]}
        both = BOTH.items() if self.account.is_two_way else ()
        for name, form in [*ATTRIBUTES.values(), *both]:
            if name not in known:
                self.http.ask("POST", f"/contacts/attributes/normal/{name}", {"type": form})

    def push(self, rows: Sequence[Outgoing]) -> Pushed:
        on = [row for row in rows if row.wanted == "on"]
        off = [row for row in rows if row.wanted == "off"]
        out = [row for row in rows if row.wanted == "out"]
        for begin in range(0, len(out), REMOVED):
            emails = [row.key for row in out[begin : begin + REMOVED]]
            # 400: none of them is on the list (any more), which is what is wanted.
            self.http.ask("POST", f"/contacts/lists/{self._list}/contacts/remove", {"emails": emails}, reads=(400,))
        works = []
        if off:
            works.append(self._import(off, blocks=True))
        for row in on:
            if row.was in ("off", "left"):
                self.http.ask("PUT", f"/contacts/{quote(row.key, '')}", {"emailBlacklisted": False}, reads=(404,))
        # An attribute that a row leaves out must not be emptied because another row of the file has it.
        by_columns: dict[tuple[str, ...], list[Outgoing]] = defaultdict(list)
        for row in on:
            by_columns[tuple(sorted(row.shared))].append(row)
        works += [self._import(rows, blocks=False) for rows in by_columns.values()]
        waits_for = ",".join(str(one) for one in works)
        return Pushed([Sent(row.kind, row.key) for row in rows], "" if self._is_done(works) else waits_for)

    def _import(self, rows: Sequence[Outgoing], *, blocks: bool) -> int:
        """Starts an import; its process. `updateExistingContacts`: the same row a second time changes nothing."""
        body: dict[str, Any] = {
            "listIds": [self._list], "emailBlacklist": blocks, "disableNotification": True,
            "updateExistingContacts": True, "emptyContactsAttributes": True,
            "jsonBody": [{"email": row.key, "attributes": {} if blocks else _attributes(row)} for row in rows],
        }  # fmt: skip
        return int(self.http.ask("POST", "/contacts/import", body).body["processId"])

    def _is_done(self, works: Sequence[int]) -> bool:
        left = list(works)
        for seconds in (0.0, *PATIENCE):
            time.sleep(seconds if left else 0)
            left = [one for one in left if self.finished(str(one)) is not True]
            if not left:
                return True
        return False

    def forget(self, rows: Sequence[Outgoing]) -> None:
        for one in [name for row in rows for name in (row.key, row.external_id) if name]:
            self.http.ask("DELETE", f"/contacts/{quote(one, '')}", reads=(404,))

    def finished(self, waits_for: str) -> bool | None:
        """Done when each of its processes is; one that is gone has to be sent again."""
        for one in waits_for.split(","):
            found = self.http.ask("GET", f"/processes/{int(one)}", reads=(404,))
            if found.status == 404 or found.body["status"] in ("failed", "cancelled"):
                return None
            if found.body["status"] != "completed":
                return False
        return True

    def hear(self, cursor: str) -> Heard:
        """`cursor`: a `Place`.

        Pages don't come by the instant of the change: only a question read to its end says how far it was heard.
        """
        place = Place.of(cursor)
        query: dict[str, Any] = {"limit": PAGE, "offset": place.offset, "sort": "asc"}
        if place.since:
            query["modifiedSince"] = place.since
        rows = self.http.ask("GET", "/contacts", query=query).body["contacts"]
        rows = [row | {"modifiedAt": utc(row["modifiedAt"])} for row in rows]
        left = [Left(row["email"], row["modifiedAt"]) for row in rows if row["emailBlacklisted"] and row.get("email")]
        people = [self._person(row) for row in rows if row.get("email")] if self.account.is_two_way else []
        latest = max([place.latest, *(row["modifiedAt"] for row in rows)])
        if len(rows) == PAGE:
            return Heard(left, str(Place(place.since, place.offset + PAGE, latest)), more=True, people=people)
        return Heard(left, str(Place(latest or place.since)), people=people)

    def _person(self, row: Mapping[str, Any]) -> Theirs:
        given = row.get("attributes") or {}
        others = [one for one in row.get("listIds") or [] if one != self._list]
        name = joined_name(given.get("FIRSTNAME"), given.get("LASTNAME"))
        return Theirs(
            row["email"], row["modifiedAt"], id=str(row["id"]), made_at=utc(row["createdAt"]),
            shared={"name": name, "phone": str(given.get(PHONE) or given.get("SMS") or "")},
            company=str(given.get("COMPANY_NAME") or given.get("COMPANY") or ""),
            lists=tuple(sorted(self._list_name(one) for one in others)),
            is_in=self._list in (row.get("listIds") or []) and not row["emailBlacklisted"],
            is_off=row["emailBlacklisted"],
        )  # fmt: skip

    def _list_name(self, number: int) -> str:
        """What a list is called; its lists are asked for once."""
        if self._names is None:
            self._names = {}
            while True:
                query = {"limit": LISTS_PAGE, "offset": len(self._names), "sort": "asc"}
                rows = self.http.ask("GET", "/contacts/lists", query=query).body.get("lists") or []
                self._names |= {row["id"]: row["name"] for row in rows}
                if len(rows) < LISTS_PAGE:
                    break
        return self._names.get(number, str(number))


def _attributes(row: Outgoing) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for ours, (theirs, form) in ATTRIBUTES.items():
        value = ", ".join(row.marks) if ours == "segments" else row.values.get(ours, "")
        found[theirs] = float(value) if form == "float" and value else value
    return found | shared_fields(row, first="FIRSTNAME", last="LASTNAME", phone=PHONE)
