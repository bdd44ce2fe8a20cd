"""Brevo's half, API v3: account, lists, attributes, contacts, imports that take effect in the background."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import unquote

from standins.marketing.wire import Answer, Half, Request, instant, moved_on

KEY = "xkeysib-of-the-tests"
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
TYPES = {"text", "date", "float", "boolean", "id", "multiple-choice"}
BODY_LIMIT = 10 * 1024 * 1024


def no(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"code": code, "message": message})


class Brevo(Half):
    name = "brevo"

    def serve(self, request: Request) -> Answer:
        if request.headers.get("api-key") != self.key(KEY):
            return no(401, "unauthorized", "Key not found")
        self._settle()
        path = request.path.removeprefix("/v3")
        for method, pattern, serve in self.routes():
            found = re.fullmatch(pattern, path)
            if found and method == request.method:
                return serve(request, *map(unquote, found.groups()))  # type: ignore[no-any-return]
        return no(404, "document_not_found", "Unknown path")

    def routes(self) -> list[tuple[str, str, Any]]:
        return [
            ("GET", "/account", self._account),
            ("GET", "/contacts/lists", self._all_lists),
            ("GET", r"/contacts/lists/(\d+)", self._list),
            ("POST", r"/contacts/lists/(\d+)/contacts/remove", self._remove),
            ("GET", "/contacts/attributes", self._attributes),
            ("POST", r"/contacts/attributes/normal/([^/]+)", self._attribute),
            ("POST", "/contacts/import", self._import),
            ("GET", "/contacts", self._contacts),
            ("PUT", r"/contacts/([^/]+)", self._change),
            ("DELETE", r"/contacts/([^/]+)", self._delete),
            ("GET", r"/processes/(\d+)", self._process),
        ]

    def throttled(self, seconds: int) -> Answer:
        headers = {
            "x-sib-ratelimit-limit": "10", "x-sib-ratelimit-remaining": "0", "x-sib-ratelimit-reset": str(seconds)
        }  # fmt: skip
        return Answer(429, {"code": "too_many_requests", "message": "Rate limit exceeded"}, headers)

    # What the API does

    def _account(self, request: Request) -> Answer:
        return Answer(200, {"email": "team@nordlicht.example", "companyName": "Nordlicht", "plan": []})

    def _lists(self) -> dict[str, Any]:
        made = {str(row["id"]): row for row in self.store.all(self.name, "list")}
        return {"7": {"id": 7, "name": "Customers", "folderId": 1}} | made

    def _all_lists(self, request: Request) -> Answer:
        limit, offset = int(request.query("limit", "10")), int(request.query("offset", "0"))
        if not 0 < limit <= 50:
            return no(400, "out_of_range", "Limit exceeds max value")
        rows = sorted(self._lists().values(), key=lambda row: row["id"], reverse=request.query("sort") != "asc")
        return Answer(200, {"lists": rows[offset : offset + limit], "count": len(rows)})

    def _list(self, request: Request, key: str) -> Answer:
        found = self._lists().get(key)
        if found is None:
            return no(404, "document_not_found", "List ID does not exist")
        members = [row for row in self._all() if int(key) in row["listIds"]]
        black = sum(row["emailBlacklisted"] for row in members)
        return Answer(200, {**found, "totalSubscribers": len(members) - black, "totalBlacklisted": black})

    def _remove(self, request: Request, key: str) -> Answer:
        emails = (request.body or {}).get("emails") or []
        if not emails or len(emails) > 150:
            return no(400, "invalid_parameter", "emails should be an array of 1 to 150")
        done, failed = [], []
        for email in emails:
            found = self._contact(email)
            if found is None or int(key) not in found["listIds"]:
                failed.append(email)
                continue
            found["listIds"].remove(int(key))
            self._keep(found)
            done.append(email)
        if not done:
            return no(400, "invalid_parameter", "Contact already removed from list and/or does not exist")
        return Answer(201, {"contacts": {"success": done, "failure": failed}})

    def _known(self) -> dict[str, str]:
        made = {row["name"]: row["type"] for row in self.store.all(self.name, "attribute")}
        return {"LASTNAME": "text", "FIRSTNAME": "text"} | made

    def _attributes(self, request: Request) -> Answer:
        rows = [{"name": name, "category": "normal", "type": form} for name, form in self._known().items()]
        return Answer(200, {"attributes": rows})

    def _attribute(self, request: Request, name: str) -> Answer:
        form = (request.body or {}).get("type")
        if form not in TYPES:
            return no(400, "invalid_parameter", "type is invalid")
        if name in self._known():
            return no(400, "invalid_parameter", "Attribute name must be unique")
        self.store.put(self.name, "attribute", name, {"name": name, "type": form})
        return Answer(201)

    def _import(self, request: Request) -> Answer:
        body = request.body
        if not isinstance(body, dict) or not any(body.get(name) for name in ("fileUrl", "fileBody", "jsonBody")):
            return no(400, "missing_parameter", "Either fileUrl, fileBody or jsonBody is required")
        if not body.get("listIds") and not body.get("newList"):
            return no(400, "missing_parameter", "listIds is missing")
        if any(str(one) not in self._lists() for one in body.get("listIds", [])):
            return no(400, "invalid_parameter", "List ID does not exist")
        if len(request.text) > BODY_LIMIT or not isinstance(body.get("jsonBody"), list):
            return no(400, "invalid_parameter", "jsonBody is invalid")
        number = self.store.number(self.name)
        state = {"id": number, "name": "IMPORTUSER", "status": "queued", "began": time.time(), "body": body}
        self.store.put(self.name, "process", str(number), state)
        return Answer(202, {"processId": number})

    def _process(self, request: Request, key: str) -> Answer:
        found = self.store.get(self.name, "process", key)
        if found is None:
            return no(404, "document_not_found", "Process ID does not exist")
        shown = {name: found[name] for name in ("id", "name", "status")}
        if found["status"] == "completed":
            shown["info"] = {"import": {"invalid_emails": "", "duplicate_email_id": ""}}
        return Answer(200, shown)

    def _contacts(self, request: Request) -> Answer:
        limit, offset = int(request.query("limit", "50")), int(request.query("offset", "0"))
        if not 0 < limit <= 1000:
            return no(400, "out_of_range", "Limit exceeds max value")
        since = request.query("modifiedSince")
        rows = [row for row in self._all() if not since or row["modifiedAt"] >= since.replace("Z", "+00:00")]
        if request.query("sort", "desc") == "desc":
            rows.reverse()
        return Answer(200, {"contacts": rows[offset : offset + limit], "count": len(rows)})

    def _change(self, request: Request, key: str) -> Answer:
        found = self._contact(key)
        if found is None:
            return no(404, "document_not_found", "Contact does not exist")
        body = request.body or {}
        if "emailBlacklisted" in body:
            found["emailBlacklisted"] = bool(body["emailBlacklisted"])
        self._take(found, body.get("attributes", {}), erase=False)
        self._keep(found)
        return Answer(204)

    def _delete(self, request: Request, key: str) -> Answer:
        found = self._contact(key)
        if found is None:
            return no(404, "document_not_found", "Contact does not exist")
        self.store.drop(self.name, "contact", found["email"].lower())
        return Answer(204)

    # What it keeps

    def _all(self) -> list[dict[str, Any]]:
        return self.store.all(self.name, "contact")

    def _contact(self, email: str) -> dict[str, Any] | None:
        """By its address, or its id, as the API takes either."""
        if email.isdecimal():
            return next((row for row in self._all() if str(row["id"]) == email), None)
        return self.store.get(self.name, "contact", email.lower())  # type: ignore[no-any-return]

    def _keep(self, contact: dict[str, Any]) -> None:
        last = str(self.store.get(self.name, "_last", "") or "")
        contact["modifiedAt"] = moved_on(last) if last else instant()
        self.store.put(self.name, "_last", "", contact["modifiedAt"])
        self.store.put(self.name, "contact", contact["email"].lower(), contact)

    def _take(self, contact: dict[str, Any], attributes: dict[str, Any], *, erase: bool) -> None:
        known = self._known()
        for name, value in attributes.items():
            if name in known and (value != "" or erase):
                contact["attributes"][name] = value

    def _settle(self) -> None:
        """Imports whose time has come take effect; how long they take is asked now, not when they began."""
        seconds = float(self.store.get(self.name, "_slow", "") or 0)
        for process in self.store.all(self.name, "process"):
            if process["status"] == "completed" or process["began"] + seconds > time.time():
                continue
            body = process["body"]
            for row in body["jsonBody"]:
                self._row(row, body)
            process |= {"status": "completed", "body": {}}
            self.store.put(self.name, "process", str(process["id"]), process)

    def _row(self, row: dict[str, Any], body: dict[str, Any]) -> None:
        email = str(row.get("email", "")).lower()
        if not EMAIL.fullmatch(email):
            return
        found = self._contact(email)
        if found is not None and not body.get("updateExistingContacts", True):
            return
        if found is None:
            found = self._made(email)
        # An import with emailBlacklist false leaves who is on the block list there.
        found["emailBlacklisted"] |= bool(body.get("emailBlacklist"))
        found["listIds"] = sorted({*found["listIds"], *body["listIds"]})
        self._take(found, row.get("attributes", {}), erase=bool(body.get("emptyContactsAttributes")))
        self._keep(found)

    def _made(self, email: str) -> dict[str, Any]:
        return {
            "id": self.store.number(self.name), "email": email.lower(), "emailBlacklisted": False,
            "smsBlacklisted": False, "createdAt": instant(), "listIds": [], "attributes": {},
        }  # fmt: skip

    def _edit(self, given: dict[str, Any]) -> None:
        """What somebody does by hand: `attributes`, `listIds`, `emailBlacklisted`, a new `address`."""
        found = self._contact(given["email"]) or self._made(given["email"]) | {"listIds": [7]}
        if "address" in given:
            self.store.drop(self.name, "contact", found["email"])
            found["email"] = given["address"].lower()
        found["attributes"] |= given.get("attributes", {})
        found |= {name: given[name] for name in ("listIds", "emailBlacklisted", "createdAt") if name in given}
        self._keep(found)

    def control(self, verb: str, given: Any) -> Any:
        if verb == "unsubscribe":
            self._edit({"email": given["email"], "emailBlacklisted": True})
        elif verb == "subscribe":
            self._edit({"email": given["email"], "emailBlacklisted": False})
        elif verb == "edit":
            self._settle()
            self._edit(given)
        elif verb == "list":
            made = {"id": given["id"], "name": given["label"], "folderId": 1}
            self.store.put(self.name, "list", str(made["id"]), made)
        elif verb == "slow":
            self.store.put(self.name, "_slow", "", given["seconds"])
        elif verb == "contacts":
            self._settle()
            return self._all()
        return {}
