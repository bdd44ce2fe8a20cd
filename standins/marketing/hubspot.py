"""HubSpot's half: CRM objects with properties and batch upserts, associations, search, opt-outs from all mail."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from standins.marketing.wire import Answer, Half, Request, instant, moved_on

KEY = "pat-eu1-of-the-tests"
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
OBJECTS = ("companies", "contacts", "deals")
THEIRS = {
    "companies": {"name", "country", "domain"},
    "contacts": {"email", "firstname", "lastname", "company", "country"},
    "deals": {"dealname", "amount", "closedate", "pipeline", "dealstage"},
}
STAGES = {"appointmentscheduled", "qualifiedtobuy", "contractsent", "closedwon", "closedlost"}


def no(status: int, category: str, message: str) -> Answer:
    body = {"status": "error", "message": message, "correlationId": "00000000-0000-4000-8000-000000000000"}
    return Answer(status, body | {"category": category})


class HubSpot(Half):
    name = "hubspot"

    def serve(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.key(KEY)}":
            return no(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        kind = f"({'|'.join(OBJECTS)})"
        routes: list[tuple[str, str, Any]] = [
            ("GET", "/account-info/v3/details", lambda request: Answer(200, {"portalId": 4711, "timeZone": "UTC"})),
            ("GET", f"/crm/v3/objects/{kind}", self._list),
            ("POST", f"/crm/v3/objects/{kind}/batch/upsert", self._upsert),
            ("POST", f"/crm/v3/objects/{kind}/batch/read", self._read),
            ("POST", f"/crm/v3/objects/{kind}/search", self._search),
            ("POST", f"/crm/v3/objects/{kind}/batch/archive", self._archive),
            ("POST", "/crm/v3/objects/contacts/gdpr-delete", self._delete),
            ("GET", f"/crm/v3/properties/{kind}", self._properties),
            ("POST", f"/crm/v3/properties/{kind}/groups", self._group),
            ("POST", f"/crm/v3/properties/{kind}/batch/create", self._create),
            ("POST", f"/crm/v4/associations/{kind}/{kind}/batch/associate/default", self._associate),
            ("POST", "/communication-preferences/v4/statuses/batch/unsubscribe-all", self._opt_out),
        ]
        for method, pattern, serve in routes:
            found = re.fullmatch(pattern, request.path)
            if found and method == request.method:
                return serve(request, *found.groups())  # type: ignore[no-any-return]
        return no(404, "OBJECT_NOT_FOUND", "resource not found")

    def throttled(self, seconds: int) -> Answer:
        body = no(429, "RATE_LIMITS", "You have reached your ten_secondly_rolling limit.").body
        body |= {"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}
        return Answer(429, body, {"X-HubSpot-RateLimit-Interval-Milliseconds": str(seconds * 1000 - 1)})

    def broken(self, status: int) -> Answer:
        return no(status, "INTERNAL_ERROR", "internal error")

    # What the API does

    def _list(self, request: Request, kind: str) -> Answer:
        return Answer(200, {"results": self._all(kind)[: int(request.query("limit", "10"))]})

    def _known(self, kind: str) -> dict[str, Any]:
        made = {row["name"]: row for row in self.store.all(self.name, f"property:{kind}")}
        return {name: {"name": name, "hasUniqueValue": name == "email"} for name in THEIRS[kind]} | made

    def _properties(self, request: Request, kind: str) -> Answer:
        return Answer(200, {"results": list(self._known(kind).values())})

    def _group(self, request: Request, kind: str) -> Answer:
        name = (request.body or {}).get("name", "")
        if not name or not request.body.get("label"):
            return no(400, "VALIDATION_ERROR", "name and label are required")
        if self.store.get(self.name, f"group:{kind}", name):
            return no(409, "OBJECT_ALREADY_EXISTS", f"A group named '{name}' already exists.")
        self.store.put(self.name, f"group:{kind}", name, request.body)
        return Answer(201, request.body)

    def _create(self, request: Request, kind: str) -> Answer:
        inputs = (request.body or {}).get("inputs", [])
        needed = ("name", "label", "type", "fieldType", "groupName")
        for row in inputs:
            if any(not row.get(name) for name in needed):
                return no(400, "VALIDATION_ERROR", "Property definition is incomplete")
            if not self.store.get(self.name, f"group:{kind}", row["groupName"]) or row["name"] in self._known(kind):
                return no(400, "VALIDATION_ERROR", f"Property {row['name']} can't be created")
        for row in inputs:
            self.store.put(self.name, f"property:{kind}", row["name"], row)
        return Answer(201, {"status": "COMPLETE", "results": inputs})

    def _upsert(self, request: Request, kind: str) -> Answer:
        inputs = (request.body or {}).get("inputs", [])
        if not 0 < len(inputs) <= 100:
            return no(400, "VALIDATION_ERROR", "The inputs of a batch are 1 to 100")
        known = self._known(kind)
        seen: set[str] = set()
        for row in inputs:
            by = row.get("idProperty")
            if by not in known or not known[by].get("hasUniqueValue") or not row.get("id"):
                return no(400, "VALIDATION_ERROR", f"idProperty {by} has no unique values")
            if row["id"] in seen:
                return no(400, "VALIDATION_ERROR", f"Duplicate IDs found in batch input: [{row['id']}]")
            seen.add(row["id"])
            unknown = set(row["properties"]) - set(known)
            if unknown:
                return no(400, "VALIDATION_ERROR", f'Property "{min(unknown)}" does not exist')
            wrong = self._wrong(kind, row["properties"], known)
            if wrong:
                return no(400, "VALIDATION_ERROR", wrong)
        results = [self._take(kind, row) for row in inputs]
        return Answer(200, {"status": "COMPLETE", "results": results, "startedAt": instant(), "completedAt": instant()})

    def _wrong(self, kind: str, values: dict[str, str], known: dict[str, Any]) -> str:
        for name, value in values.items():
            form = known[name].get("type")
            if value and form == "number" and not re.fullmatch(r"-?\d+(\.\d+)?", value):
                return f"{value} was not a valid number."
            if value and form == "date" and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
                return f"{value} was not a valid date."
        if kind == "contacts" and not EMAIL.fullmatch(values.get("email", "a@b.c")):
            return f"Email address {values['email']} is invalid"
        if kind == "deals" and values.get("dealstage", "closedwon") not in STAGES:
            return f"{values['dealstage']} is not a valid deal stage"
        return ""

    def _take(self, kind: str, row: dict[str, Any]) -> dict[str, Any]:
        by, key = row["idProperty"], row["id"].lower()
        found = next((one for one in self._all(kind) if str(one["properties"].get(by, "")).lower() == key), None)
        is_new = found is None
        held = found or {"id": str(self.store.number(self.name)), "properties": {by: row["id"]}, "createdAt": instant()}
        held["properties"] |= row["properties"]
        self._keep(kind, held)
        return {name: held[name] for name in ("id", "properties", "createdAt", "updatedAt")} | {"new": is_new}

    def _read(self, request: Request, kind: str) -> Answer:
        body = request.body or {}
        if len(body.get("inputs", [])) > (50 if body.get("propertiesWithHistory") else 100):
            return no(400, "VALIDATION_ERROR", "too many inputs")
        results = []
        for one in body["inputs"]:
            held = self.store.get(self.name, kind, one["id"])
            if held is not None:
                history = {name: held.get("history", {}).get(name, []) for name in body["propertiesWithHistory"]}
                results.append({"id": held["id"], "properties": held["properties"], "propertiesWithHistory": history})
        return Answer(200, {"status": "COMPLETE", "results": results})

    def _search(self, request: Request, kind: str) -> Answer:
        body = request.body or {}
        if not body.get("filterGroups") or int(body.get("limit", 10)) > 200:
            return no(400, "VALIDATION_ERROR", "There was a problem with the request.")
        rows = [row for row in self._all(kind) if any(self._fits(row, group) for group in body["filterGroups"])]
        rows.sort(key=lambda row: row["properties"]["lastmodifieddate"])
        return Answer(200, {"total": len(rows), "results": rows[: int(body.get("limit", 10))]})

    @staticmethod
    def _fits(row: dict[str, Any], group: dict[str, Any]) -> bool:
        for one in group["filters"]:
            value = str(row["properties"].get(one["propertyName"], ""))
            if one["operator"] == "EQ" and value != one["value"]:
                return False
            if one["operator"] == "GTE" and datetime.fromisoformat(value).timestamp() * 1000 < int(one["value"]):
                return False
        return True

    def _associate(self, request: Request, kind: str, other: str) -> Answer:
        inputs = (request.body or {}).get("inputs", [])
        for row in inputs:
            ends = (kind, row["from"]["id"]), (other, row["to"]["id"])
            if any(self.store.get(self.name, *end) is None for end in ends):
                return no(400, "VALIDATION_ERROR", "One or more objects don't exist")
            self.store.put(self.name, "association", f"{kind}:{ends[0][1]}>{other}:{ends[1][1]}",
                           [kind, ends[0][1], other, ends[1][1]])  # fmt: skip
        return Answer(200, {"status": "COMPLETE", "results": inputs})

    def _archive(self, request: Request, kind: str) -> Answer:
        for row in (request.body or {}).get("inputs", []):
            self.store.drop(self.name, kind, row["id"])
        return Answer(204)

    def _delete(self, request: Request) -> Answer:
        body = request.body or {}
        if body.get("idProperty") not in (None, "email") or not body.get("objectId"):
            return no(400, "VALIDATION_ERROR", "objectId is missing or idProperty is not email")
        for held in self._all("contacts"):
            is_meant = held["id"] == body["objectId"]
            if "idProperty" in body:
                is_meant = held["properties"].get("email", "").lower() == body["objectId"].lower()
            if is_meant:
                self.store.drop(self.name, "contacts", held["id"])
        return Answer(204)

    def _opt_out(self, request: Request) -> Answer:
        if request.query("channel") != "EMAIL":
            return no(400, "VALIDATION_ERROR", "channel is required")
        for email in (request.body or {}).get("inputs", []):
            self._mark(email)
        return Answer(200, {"status": "COMPLETE", "results": []})

    # What it keeps

    def _all(self, kind: str) -> list[dict[str, Any]]:
        return self.store.all(self.name, kind)

    def _keep(self, kind: str, held: dict[str, Any]) -> None:
        last = str(self.store.get(self.name, "_last", "") or "2000-01-01T00:00:00.000+00:00")
        held["updatedAt"] = moved_on(last)
        held["properties"]["lastmodifieddate"] = held["updatedAt"]
        self.store.put(self.name, "_last", "", held["updatedAt"])
        self.store.put(self.name, kind, held["id"], held)

    def _mark(self, email: str) -> None:
        for held in self._all("contacts"):
            if held["properties"].get("email", "").lower() == email.lower():
                if held["properties"].get("hs_email_optout") != "true":
                    held["properties"]["hs_email_optout"] = "true"
                    said = {"value": "true", "timestamp": instant(), "sourceType": "EMAIL"}
                    held["history"] = {"hs_email_optout": [said]}
                self._keep("contacts", held)

    def control(self, verb: str, given: Any) -> Any:
        if verb == "unsubscribe":
            self._mark(given["email"])
        elif verb == "address":
            for held in self._all("contacts"):
                if held["properties"].get("email") == given["email"]:
                    held["properties"]["email"] = given["address"]
                    self._keep("contacts", held)
        elif verb == "contacts":
            return [row["properties"] | {"id": row["id"]} for row in self._all("contacts")]
        elif verb in ("companies", "deals"):
            return [row["properties"] | {"id": row["id"]} for row in self._all(verb)]
        elif verb == "associations":
            return self.store.all(self.name, "association")
        return {}
