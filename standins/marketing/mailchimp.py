"""Mailchimp's half, Marketing API 3.0: an audience with members, merge fields and tags; errors as problem details."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from typing import Any

from standins.marketing.wire import Answer, Half, Request, instant, moved_on

KEY = "key-of-the-tests-us19"
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")
LIST = "a1b2c3d4e5"


def no(status: int, title: str, detail: str, errors: list[dict[str, str]] | None = None) -> Answer:
    body: dict[str, Any] = {
        "type": "https://mailchimp.com/developer/marketing/docs/errors/", "title": title, "status": status,
        "detail": detail, "instance": "00000000-0000-0000-0000-000000000000",
    }  # fmt: skip
    if errors:
        body["errors"] = errors
    return Answer(status, body, content_type="application/problem+json; charset=utf-8")


def seconds(text: str) -> str:
    """An instant without what is smaller than a second."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="seconds")


def missing() -> Answer:
    return no(404, "Resource Not Found", "The requested resource could not be found.")


class Mailchimp(Half):
    name = "mailchimp"

    def serve(self, request: Request) -> Answer:
        given = request.headers.get("authorization", "")
        if given.startswith("Basic "):
            given = "Bearer " + base64.b64decode(given[6:]).decode().partition(":")[2]
        if not given:
            return no(401, "API Key Missing", "Your request did not include an API key.")
        if given != f"Bearer {self.key(KEY)}":
            return no(401, "API Key Invalid", "Your API key may be invalid, or you've attempted to access the wrong "
                      "datacenter.")  # fmt: skip
        path = request.path.removeprefix("/3.0").rstrip("/") or "/"
        if path == "/":
            return Answer(200, {"account_name": "Nordlicht"})
        found = re.fullmatch(rf"/lists/{LIST}(/.*)?", path)
        if not found:
            return missing()
        below = found[1] or ""
        for method, pattern, serve in self.routes():
            match = re.fullmatch(pattern, below)
            if match and method == request.method:
                return serve(request, *match.groups())  # type: ignore[no-any-return]
        return missing()

    def routes(self) -> list[tuple[str, str, Any]]:
        return [
            ("GET", "", lambda request: Answer(200, {"id": LIST, "name": "Customers"})),
            ("POST", "", self._batch),
            ("GET", "/members", self._members),
            ("GET", r"/members/([0-9a-f]{32})", self._one),
            ("DELETE", r"/members/([0-9a-f]{32})", self._archive),
            ("POST", r"/members/([0-9a-f]{32})/actions/delete-permanent", self._delete),
            ("GET", "/merge-fields", self._fields),
            ("POST", "/merge-fields", self._field),
            ("GET", "/segments", self._segments),
            ("POST", "/segments", self._segment),
            ("POST", r"/segments/(\d+)", self._fill),
        ]

    def throttled(self, seconds: int) -> Answer:
        return no(429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections.")

    def broken(self, status: int) -> Answer:
        return no(status, "Internal Server Error", "An unexpected internal error has occurred.")

    # What the API does

    def _batch(self, request: Request) -> Answer:
        members = (request.body or {}).get("members")
        if not isinstance(members, list) or len(members) > 500:
            detail = "The resource submitted could not be validated."
            many = [{"field": "members", "message": "Schema describes array of at most 500 items"}]
            return no(400, "Invalid Resource", detail, many)
        made, changed, errors = [], [], []
        for row in members:
            wrong = self._wrong(row, update=bool(request.body.get("update_existing")))
            if wrong:
                named = {"email_address": row.get("email_address", ""), "field": "", "field_message": ""}
                errors.append(named | wrong)
                continue
            before = self._member(row["email_address"])
            held = self._take(row, before)
            (changed if before and before["status"] != "archived" else made).append(self._shown(held))
        counts = {"total_created": len(made), "total_updated": len(changed), "error_count": len(errors)}
        return Answer(200, {"new_members": made, "updated_members": changed, "errors": errors, **counts})

    def _wrong(self, row: dict[str, Any], *, update: bool) -> dict[str, str] | None:
        email = str(row.get("email_address", ""))
        if not EMAIL.fullmatch(email) or row.get("status") not in STATUSES:
            return {"error": f"{email} looks fake or invalid", "error_code": "ERROR_GENERIC"}
        unknown = set(row.get("merge_fields", {})) - set(self._known())
        if unknown:
            return {"error": f"merge field {min(unknown)} does not exist", "error_code": "ERROR_GENERIC"}
        found = self._member(email)
        if found is None:
            return None
        if not update:
            return {"error": f"{email} is already a list member", "error_code": "ERROR_CONTACT_EXISTS"}
        if found["status"] == "unsubscribed" and found["by_themselves"] and row["status"] == "subscribed":
            words = f"{email} is in a compliance state due to unsubscribe, bounce, or compliance review"
            return {"error": f"{words} and cannot be subscribed.", "error_code": "ERROR_GENERIC"}
        return None

    def _take(self, row: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
        email = row["email_address"]
        held = before or {
            "id": hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest(), "email_address": email,
            "merge_fields": {}, "tags": [], "contact_id": f"{self.store.number(self.name):032x}",
            "timestamp_signup": "", "timestamp_opt": seconds(instant()),
        }  # fmt: skip
        held |= {"status": row["status"], "by_themselves": False}
        held["merge_fields"] |= row.get("merge_fields", {})
        if row.get("language"):
            held["language"] = row["language"]
        self._keep(held)
        return held

    def _members(self, request: Request) -> Answer:
        count, offset = int(request.query("count", "10")), int(request.query("offset", "0"))
        if count > 1000:
            return no(400, "Invalid Resource", "count may be 1000 at most")
        since = request.query("since_last_changed")
        rows = [row for row in self._all() if row["status"] != "archived"]
        if since:
            after = seconds(since.replace("Z", "+00:00"))
            rows = [row for row in rows if seconds(row["last_changed"]) > after]
        rows.sort(key=lambda row: row["last_changed"], reverse=request.query("sort_dir") == "DESC")
        return Answer(200, {"members": [self._shown(row) for row in rows[offset : offset + count]]})

    def _one(self, request: Request, key: str) -> Answer:
        """By the digest of its address or by its contact id."""
        found = next((row for row in self._all() if key in (row["id"], row["contact_id"])), None)
        return missing() if found is None else Answer(200, self._shown(found))

    def _shown(self, member: dict[str, Any]) -> dict[str, Any]:
        """As the API shows it: instants of whole seconds, tags with their ids."""
        ids = {row["name"]: row["id"] for row in self.store.all(self.name, "segment")}
        tags = [{"id": ids.get(name, 0), "name": name} for name in member["tags"]]
        shown = {name: value for name, value in member.items() if name != "by_themselves"}
        return shown | {"last_changed": seconds(member["last_changed"]), "tags": tags, "tags_count": len(tags)}

    def _archive(self, request: Request, key: str) -> Answer:
        found = self.store.get(self.name, "member", key)
        if found is None:
            return missing()
        if found["status"] == "archived":
            return no(405, "Method Not Allowed", "This contact is archived already.")
        found["status"] = "archived"
        self._keep(found)
        return Answer(204)

    def _delete(self, request: Request, key: str) -> Answer:
        if self.store.get(self.name, "member", key) is None:
            return missing()
        self.store.drop(self.name, "member", key)
        return Answer(204)

    def _known(self) -> list[str]:
        return ["FNAME", "LNAME", *(row["tag"] for row in self.store.all(self.name, "field"))]

    def _fields(self, request: Request) -> Answer:
        return Answer(200, {"merge_fields": [{"tag": tag, "type": "text"} for tag in self._known()]})

    def _field(self, request: Request) -> Answer:
        body = request.body or {}
        tag = str(body.get("tag", ""))
        if not body.get("name") or not body.get("type") or not 0 < len(tag) <= 10 or tag in self._known():
            return no(400, "Invalid Resource", "The resource submitted could not be validated.")
        self.store.put(self.name, "field", tag, {"tag": tag})
        return Answer(200, {"tag": tag, "name": body["name"], "type": body["type"]})

    def _segments(self, request: Request) -> Answer:
        return Answer(200, {"segments": self.store.all(self.name, "segment")})

    def _segment(self, request: Request) -> Answer:
        name = (request.body or {}).get("name")
        if not name:
            return no(400, "Invalid Resource", "The resource submitted could not be validated.")
        made = {"id": self.store.number(self.name), "name": name, "type": "static"}
        self.store.put(self.name, "segment", str(made["id"]), made)
        return Answer(200, made)

    def _fill(self, request: Request, key: str) -> Answer:
        found = self.store.get(self.name, "segment", key)
        if found is None:
            return missing()
        body = request.body or {}
        for name in ("members_to_add", "members_to_remove"):
            if len(body.get(name, [])) > 500:
                return no(400, "Invalid Resource", f"{name} may hold 500 at most")
            for email in body.get(name, []):
                held = self._member(email)
                if held is None or (name == "members_to_remove") != (found["name"] in held["tags"]):
                    continue
                (held["tags"].append if name == "members_to_add" else held["tags"].remove)(found["name"])
                self._keep(held)
        return Answer(200, {"members_added": [], "members_removed": [], "errors": []})

    # What it keeps

    def _all(self) -> list[dict[str, Any]]:
        return self.store.all(self.name, "member")

    def _member(self, email: str) -> dict[str, Any] | None:
        key = hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()
        return self.store.get(self.name, "member", key)  # type: ignore[no-any-return]

    def _keep(self, member: dict[str, Any]) -> None:
        last = str(self.store.get(self.name, "_last", "") or "2000-01-01T00:00:00.000+00:00")
        member["last_changed"] = moved_on(last)
        self.store.put(self.name, "_last", "", member["last_changed"])
        self.store.put(self.name, "member", member["id"], member)

    def _edit(self, given: dict[str, Any]) -> None:
        """What somebody does by hand: `merge_fields`, `tags`, `status`, a new `address`."""
        new = {"email_address": given["email"], "status": "subscribed"}
        found = self._member(given["email"]) or self._take(new, None)
        if "address" in given:
            self.store.drop(self.name, "member", found["id"])
            digest = hashlib.md5(given["address"].lower().encode(), usedforsecurity=False).hexdigest()
            found |= {"id": digest, "email_address": given["address"]}
        found["merge_fields"] |= given.get("merge_fields", {})
        found |= {name: given[name] for name in ("tags", "status", "timestamp_opt") if name in given}
        self._keep(found)

    def control(self, verb: str, given: Any) -> Any:
        if verb == "unsubscribe":
            found = self._member(given["email"])
            assert found is not None
            reason = "N/A (Unsubscribed by user)"
            found |= {"status": "unsubscribed", "by_themselves": True, "unsubscribe_reason": reason}
            self._keep(found)
        elif verb == "edit":
            self._edit(given)
        elif verb == "contacts":
            return [row | {"email": row["email_address"].lower()} for row in self._all()]
        return {}
