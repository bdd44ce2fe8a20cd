"""HubSpot, CRM API v3: companies, contacts and deals upserted in batches of 100, associated, opt-outs both ways.

The rule that matters: HubSpot is a system of record and keeps people who get no advertising; whether they do stands in
a property of its own, and an opt-out there can be made by us but not undone. Source: HubSpot's API reference; contacts
are found by e-mail, companies and deals by our ids in properties with unique values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from crm.ties.base import (
    Account,
    Connection,
    Heard,
    Http,
    Left,
    Outgoing,
    Pushed,
    Sent,
    TieFailed,
    connection,
    retry_after,
    split_name,
    utc,
)

ADDRESS: Final = "https://api.hubapi.com"
OBJECTS: Final = {"company": "companies", "person": "contacts", "deal": "deals"}
#: By what a row is found.
FOUND_BY: Final = {"company": "turnus_customer", "person": "email", "deal": "turnus_subscription"}
#: Properties of our own with their types, on every kind; those of one kind below.
OURS: Final[Mapping[str, tuple[str, str]]] = {
    "state": ("turnus_state", "string"), "plans": ("turnus_plans", "string"), "mrr": ("turnus_mrr", "number"),
    "currency": ("turnus_currency", "string"), "renews_on": ("turnus_renews_on", "date"),
    "segments": ("turnus_segments", "string"),
}  # fmt: skip
OWN: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "company": {
        "customer": ("turnus_customer", "string"), "vat_id": ("turnus_vat_id", "string"),
        "since": ("turnus_since", "date"),
    },
    "person": {"advertising": ("turnus_advertising", "string"), "customer": ("turnus_customer", "string")},
    "deal": {
        "subscription": ("turnus_subscription", "string"), "start_on": ("turnus_start_on", "date"),
        "ends_on": ("turnus_ends_on", "date"), "arr": ("turnus_arr", "number"),
    },
}  # fmt: skip
#: Fields HubSpot has itself.
THEIRS: Final[Mapping[str, Mapping[str, str]]] = {
    "company": {"company": "name", "country": "country"},
    "person": {"company": "company", "country": "country"},
    "deal": {"name": "dealname", "arr": "amount", "start_on": "closedate"},
}
#: Which rows name which others; the label is HubSpot's default one.
TIED: Final = {"person": (("company", "companies"),), "deal": (("company", "companies"), ("person", "contacts"))}
BATCH: Final = 100
HISTORY: Final = 50


def _words(body: Any) -> str:
    return str(body.get("message", "")) if isinstance(body, dict) else ""


def _wait(headers: Mapping[str, str]) -> int | None:
    """Retry-After where it is sent; else the length of the window that is used up."""
    interval = headers.get("x-hubspot-ratelimit-interval-milliseconds", "")
    return retry_after(headers) or (int(interval) // 1000 + 1 if interval.isdecimal() else None)


@connection
class HubSpot(Connection):
    kind: ClassVar[str] = "hubspot"
    takes: ClassVar[tuple[str, ...]] = ("company", "person", "deal")
    keeps_everybody: ClassVar[bool] = True
    portion: ClassVar[int] = 100

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        headers = {"Authorization": f"Bearer {account.secret}"}
        self.http = Http(account.address or ADDRESS, headers, wait_of=_wait, words_of=_words)

    def check(self) -> str:
        found = self.http.ask("GET", "/account-info/v3/details").body
        for name in OBJECTS.values():
            self.http.ask("GET", f"/crm/v3/objects/{name}", query={"limit": 1})
        return f"HubSpot {found['portalId']}"

    def prepare(self) -> None:
        for kind, name in OBJECTS.items():
            path = f"/crm/v3/properties/{name}"
            known = {row["name"] for row in self.http.ask("GET", path).body["results"]}
            new = [(one, form) for one, form in [*OURS.values(), *OWN[kind].values()] if one not in known]
            if not new:
                continue
            # 409: the group is there.
            self.http.ask("POST", f"{path}/groups", {"name": "turnus", "label": "Turnus"}, reads=(409,))
            fields = {"string": "text", "number": "number", "date": "date"}
            inputs = [
                {"name": one, "label": one.replace("_", " ").title(), "type": form, "fieldType": fields[form],
                 "groupName": "turnus", "hasUniqueValue": one == FOUND_BY[kind]}
                for one, form in new
            ]  # fmt: skip
            self.http.ask("POST", f"{path}/batch/create", {"inputs": inputs})

    def push(self, rows: Sequence[Outgoing]) -> Pushed:
        answers: list[Sent] = []
        for kind in self.takes:
            mine = [row for row in rows if row.kind == kind and row.wanted != "out"]
            for begin in range(0, len(mine), BATCH):
                found = self._upsert(kind, mine[begin : begin + BATCH])
                answers += found
                self.ids |= {(kind, one.key): one.external_id for one in found if one.external_id}
                self._associate(kind, mine[begin : begin + BATCH])
        # Whom nobody here knows any more stays in the system of record; they get no advertising from us.
        answers += [Sent(row.kind, row.key, row.external_id) for row in rows if row.wanted == "out"]
        self._opt_out([row.key for row in rows if row.kind == "person" and row.wanted == "off"])
        return Pushed(answers)

    def _upsert(self, kind: str, rows: Sequence[Outgoing]) -> list[Sent]:
        """Creates or updates; a batch that is refused as a whole is halved until the row at fault stands alone."""
        by = FOUND_BY[kind]
        inputs = [{"idProperty": by, "id": row.key, "properties": _properties(row)} for row in rows]
        path = f"/crm/v3/objects/{OBJECTS[kind]}/batch/upsert"
        reply = self.http.ask("POST", path, {"inputs": inputs}, reads=(400, 409))
        if reply.status in (400, 409):
            if len(rows) == 1:
                words = _words(reply.body) or f"HTTP {reply.status}"
                return [Sent(kind, rows[0].key, rows[0].external_id, error=words)]
            half = len(rows) // 2
            return [*self._upsert(kind, rows[:half]), *self._upsert(kind, rows[half:])]
        ids = {str(row["properties"].get(by, "")).lower(): str(row["id"]) for row in reply.body["results"]}
        why: dict[str, str] = {}
        for error in reply.body.get("errors", []):
            for one in error.get("context", {}).get("ids", []):
                why[one.lower()] = error.get("message", "")
        return [
            Sent(kind, row.key, ids.get(row.key.lower(), row.external_id),
                 error="" if row.key.lower() in ids else why.get(row.key.lower()) or "no answer for this row")
            for row in rows
        ]  # fmt: skip

    def _associate(self, kind: str, rows: Sequence[Outgoing]) -> None:
        for other, name in TIED.get(kind, ()):
            pairs = [
                (self.ids[kind, row.key], self.ids[other, key])
                for row in rows
                if (key := row.company_key if other == "company" else row.person_key)
                and (kind, row.key) in self.ids and (other, key) in self.ids
            ]  # fmt: skip
            if pairs:
                body = {"inputs": [{"from": {"id": one}, "to": {"id": two}} for one, two in pairs]}
                path = f"/crm/v4/associations/{OBJECTS[kind]}/{name}/batch/associate/default"
                self.http.ask("POST", path, body)

    def _opt_out(self, addresses: Sequence[str]) -> None:
        for begin in range(0, len(addresses), BATCH):
            path = "/communication-preferences/v4/statuses/batch/unsubscribe-all"
            self.http.ask("POST", path, {"inputs": addresses[begin : begin + BATCH]}, query={"channel": "EMAIL"})

    def forget(self, rows: Sequence[Outgoing]) -> None:
        """People as its law on data asks; companies and deals, which it can't delete so, into its bin."""
        for kind in ("deal", "company"):
            ids = [row.external_id for row in rows if row.kind == kind and row.external_id]
            for begin in range(0, len(ids), BATCH):
                inputs = [{"id": one} for one in ids[begin : begin + BATCH]]
                self.http.ask("POST", f"/crm/v3/objects/{OBJECTS[kind]}/batch/archive", {"inputs": inputs})
        for row in [row for row in rows if row.kind == "person"]:
            named = [{"objectId": row.key, "idProperty": "email"}]
            named += [{"objectId": row.external_id}] if row.external_id else []
            for body in named:
                self.http.ask("POST", "/crm/v3/objects/contacts/gdpr-delete", body, reads=(404,))

    def hear(self, cursor: str) -> Heard:
        """`cursor`: the latest change that was read. The instant of an opt-out is that of the property's own history:
        the contact itself changes whenever we send it."""
        changed: dict[str, str] = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": cursor or "0"}
        body = {
            "filterGroups": [{"filters": [
                {"propertyName": "hs_email_optout", "operator": "EQ", "value": "true"}, changed,
            ]}],
            "sorts": [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}],
            "properties": ["email", "lastmodifieddate"], "limit": HISTORY,
        }  # fmt: skip
        rows = self.http.ask("POST", "/crm/v3/objects/contacts/search", body).body["results"]
        if not rows:
            return Heard([], cursor)
        latest = str(max(_milliseconds(row["properties"]["lastmodifieddate"]) for row in rows))
        if len(rows) == HISTORY and latest == cursor:
            raise TieFailed("more opt-outs at one instant than can be read")
        since = self._instants([str(row["id"]) for row in rows])
        left = [
            Left(row["properties"]["email"], since[str(row["id"])], "HubSpot: opted out")
            for row in rows if row["properties"].get("email") and str(row["id"]) in since
        ]  # fmt: skip
        return Heard(left, latest, more=len(rows) == HISTORY)

    def _instants(self, ids: Iterable[str]) -> dict[str, str]:
        """When each of these contacts opted out."""
        body = {
            "inputs": [{"id": one} for one in ids], "properties": ["email"],
            "propertiesWithHistory": ["hs_email_optout"],
        }  # fmt: skip
        found = {}
        for row in self.http.ask("POST", "/crm/v3/objects/contacts/batch/read", body).body["results"]:
            history = row.get("propertiesWithHistory", {}).get("hs_email_optout", [])
            said = [utc(one["timestamp"]) for one in history if one["value"] == "true"]
            if said:
                found[str(row["id"])] = max(said)
        return found


def _milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def _properties(row: Outgoing) -> dict[str, str]:
    values = {**row.values, "segments": ", ".join(row.marks)}
    if row.kind == "person":
        values["advertising"] = "yes" if row.wanted == "on" else "no"
    ours = {name: values[key] for key, (name, _type) in {**OURS, **OWN[row.kind]}.items() if key in values}
    theirs = {name: values[key] for key, name in THEIRS[row.kind].items() if values.get(key)}
    found = ours | theirs
    if row.kind == "person":
        first, last = split_name(values.get("name", ""))
        found |= {"email": row.key, "firstname": first, "lastname": last}
    if row.kind == "deal":
        stage = "contractsent" if values["state"] in ("pending", "trial") else "closedwon"
        found |= {"pipeline": "default", "dealstage": stage}
    return found
