"""Mailchimp, Marketing API 3.0: members of an audience in batches of 500, tags for segments, who unsubscribed.

The rule that matters: Mailchimp itself refuses to subscribe somebody again who left by its own link; that refusal is
kept and shown, never worked around. Source: Mailchimp's API reference; it limits connections at once, not requests,
and names no time to wait.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

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
    WrongKey,
    connection,
    joined_name,
    retry_after,
    shared_fields,
    utc,
)

#: The key's end names the data center, which is the host.
CENTER: Final = re.compile(r".+-([a-z]{2}\d{1,3})")
#: Our values as merge fields, whose tags have ten letters at most.
FIELDS: Final[Mapping[str, str]] = {
    "name": "FULLNAME", "company": "COMPANYNAM", "country": "COUNTRY", "customer": "TCUSTOMER", "state": "TSTATE",
    "plans": "TPLANS", "mrr": "TMRR", "currency": "TCURRENCY", "renews_on": "TRENEWS", "since": "TSINCE",
}  # fmt: skip
#: Fields that people change there, too; every audience has the first two.
BOTH: Final = ("FNAME", "LNAME", "PHONE")
PAGE: Final = 1000
#: Members read twice where more than a page were changed in one second: what moved between two questions is among them.
OVERLAP: Final = 100
#: States of a member who gets nothing any more.
GONE: Final = ("unsubscribed", "cleaned")


def member_id(address: str) -> str:
    """What Mailchimp finds a member by: the MD5 of the address in lower case."""
    return hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()


@connection
class Mailchimp(Connection):
    kind: ClassVar[str] = "mailchimp"
    portion: ClassVar[int] = 500

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        center = CENTER.fullmatch(account.secret)
        self._center = center[1] if center else ""
        self.http = Http(
            account.address or f"https://{self._center}.api.mailchimp.com/3.0",
            {"Authorization": f"Bearer {account.secret}"}, wait_of=retry_after, words_of=_words,
        )  # fmt: skip
        self._tags: dict[str, int] | None = None

    @property
    def _list(self) -> str:
        if not self._center:
            raise WrongKey("-us19 …")
        if not re.fullmatch(r"[0-9a-z]{4,20}", self.account.audience):
            raise ListUnknown(self.account.audience)
        return f"/lists/{self.account.audience}"

    def check(self) -> str:
        path = self._list
        account = self.http.ask("GET", "/", query={"fields": "account_name"}).body
        found = self.http.ask("GET", path, query={"fields": "name"}, reads=(404,))
        if found.status == 404:
            raise ListUnknown(self.account.audience)
        return f"{account.get('account_name', '')} · {found.body['name']}"

    def prepare(self) -> None:
        path = f"{self._list}/merge-fields"
        known = self.http.ask("GET", path, query={"count": 100, "fields": "merge_fields.tag"}).body["merge_fields"]
        both = {tag.lower(): tag for tag in BOTH} if self.account.is_two_way else {}
        for ours, tag in {**FIELDS, **both}.items():
            if tag not in {row["tag"] for row in known}:
                self.http.ask("POST", path, {"tag": tag, "name": f"Turnus {ours}", "type": "text", "public": False})

    def push(self, rows: Sequence[Outgoing]) -> Pushed:
        """Those who leave the list without having unsubscribed are archived there, one by one: there is no batch."""
        members = [row for row in rows if row.wanted in ("on", "off")]
        out = [row for row in rows if row.wanted == "out"]
        for row in out:
            self.http.ask("DELETE", f"{self._list}/members/{member_id(row.key)}", reads=(404, 405))
        answers = {row.key: Sent(row.kind, row.key) for row in rows}
        if members:
            body = {"members": [_member(row) for row in members], "update_existing": True, "sync_tags": False}
            # Somebody who never was there needs no word that they get nothing; the batch takes it all the same.
            found = self.http.ask("POST", self._list, body, query={"skip_merge_validation": "true"}).body
            for row in [*found["new_members"], *found["updated_members"]]:
                key = row["email_address"].lower()
                answers[key] = Sent("person", key, external_id=row.get("contact_id") or row["id"])
            for row in found["errors"]:
                key = row["email_address"].lower()
                answers[key] = Sent("person", key, error=f"{row['error']} ({row.get('error_code', '')})")
            self._mark([row for row in members if row.wanted == "on" and not answers[row.key].error])
        return Pushed(list(answers.values()))

    def _mark(self, rows: Sequence[Outgoing]) -> None:
        """Tags as the segments say: each of ours is given to who belongs and taken from who doesn't; others stay."""
        for name in self.account.marks:
            inside = [row.key for row in rows if name in row.marks]
            outside = [row.key for row in rows if name not in row.marks]
            if not rows or (not inside and name not in self._known_tags()):
                continue
            body = {"members_to_add": inside, "members_to_remove": outside}
            self.http.ask("POST", f"{self._list}/segments/{self._tag(name)}", body)

    def _known_tags(self) -> dict[str, int]:
        if self._tags is None:
            query = {"type": "static", "count": 1000, "fields": "segments.id,segments.name"}
            rows = self.http.ask("GET", f"{self._list}/segments", query=query).body["segments"]
            self._tags = {row["name"]: row["id"] for row in rows}
        return self._tags

    def _tag(self, name: str) -> int:
        known = self._known_tags()
        if name not in known:
            made = self.http.ask("POST", f"{self._list}/segments", {"name": name, "static_segment": []}).body
            known[name] = made["id"]
        return known[name]

    def forget(self, rows: Sequence[Outgoing]) -> None:
        """Deleted for good: Mailchimp takes the address again only by its own form."""
        for row in rows:
            for one in sorted({member_id(row.key), *self._now(row.external_id)}):
                self.http.ask("POST", f"{self._list}/members/{one}/actions/delete-permanent", reads=(404,))

    def _now(self, external_id: str) -> list[str]:
        """By what somebody is found now whose address may be another by now."""
        if not external_id:
            return []
        found = self.http.ask("GET", f"{self._list}/members/{external_id}", query={"fields": "id"}, reads=(404,))
        return [] if found.status == 404 else [found.body["id"]]

    def hear(self, cursor: str) -> Heard:
        """`cursor`: a `Place`.

        Members come by their change, and who is changed meanwhile moves to the end: so the next question begins at the
        last change that was read, and goes on by count only where a whole page was changed in one second.
        """
        place = Place.of(cursor)
        names = ["email_address", "status", "last_changed", "unsubscribe_reason"]
        if self.account.is_two_way:
            names += ["contact_id", "merge_fields", "tags", "timestamp_opt", "timestamp_signup"]
        query: dict[str, Any] = {
            "count": PAGE, "offset": place.offset, "sort_field": "last_changed", "sort_dir": "ASC",
            "fields": ",".join(f"members.{name}" for name in names),
        }  # fmt: skip
        if place.since:
            query["since_last_changed"] = place.since
        rows = self.http.ask("GET", f"{self._list}/members", query=query).body["members"]
        left = [
            Left(row["email_address"], utc(row["last_changed"]), f"Mailchimp: {row.get('unsubscribe_reason') or '–'}")
            for row in rows if row["status"] in GONE
        ]  # fmt: skip
        people = [self._person(row) for row in rows] if self.account.is_two_way else []
        latest = max([place.latest, *(utc(row["last_changed"]) for row in rows)])
        # Its instants are of whole seconds, and it gives what is later: the last second is asked for again.
        goes_on = _before(latest) if latest else ""
        if len(rows) < PAGE:
            return Heard(left, str(Place(goes_on)) if latest else cursor, people=people)
        if goes_on > place.since:
            return Heard(left, str(Place(goes_on)), more=True, people=people)
        further = Place(place.since, place.offset + PAGE - OVERLAP, latest)
        return Heard(left, str(further), more=True, people=people)

    def _person(self, row: Mapping[str, Any]) -> Theirs:
        given = row.get("merge_fields") or {}
        name = joined_name(given.get("FNAME"), given.get("LNAME"))
        made_at = row.get("timestamp_opt") or row.get("timestamp_signup") or row["last_changed"]
        tags = {str(tag["name"]) for tag in row.get("tags") or []} - set(self.account.marks)
        return Theirs(
            row["email_address"], utc(row["last_changed"]), id=str(row.get("contact_id") or ""), made_at=utc(made_at),
            shared={"name": name, "phone": str(given.get("PHONE") or "")},
            company=str(given.get("COMPANYNAM") or given.get("COMPANY") or ""), lists=tuple(sorted(tags)),
            is_in={"subscribed": True, "archived": False}.get(row["status"]), is_off=row["status"] in GONE,
        )  # fmt: skip


def _before(text: str) -> str:
    return utc((datetime.fromisoformat(text) - timedelta(seconds=1)).isoformat())


def _member(row: Outgoing) -> dict[str, Any]:
    if row.wanted == "off":
        return {"email_address": row.key, "status": "unsubscribed"}
    fields = {tag: row.values.get(ours, "") for ours, tag in FIELDS.items()}
    fields |= shared_fields(row, first="FNAME", last="LNAME", phone="PHONE")
    language = row.values.get("language", "")
    return {
        "email_address": row.key, "status": "subscribed", "email_type": "html", "language": language,
        "merge_fields": fields,
    }  # fmt: skip


def _words(body: Any) -> str:
    """Errors come as problem details: what is wrong stands in `detail`, field by field in `errors`."""
    if not isinstance(body, dict):
        return ""
    each = ", ".join(f"{row.get('field', '')} {row.get('message', '')}".strip() for row in body.get("errors") or [])
    return f"{body.get('detail') or body.get('title') or ''} {each}".strip()
