"""Who may sign in to the test company, written down for the launcher to show: `.turnus/demo.json`.

Passwords and the key are made once per folder; the file is the only place they stand in clear, and only its owner
reads it.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TypedDict

from django.conf import settings

from core import clock
from core.models import ApiKey, Company, User
from core.rights import ROLES
from core.services import keys
from demo.company import BY, TEAM
from demo.scenes import PORTAL_EMAIL

KEY_NAME = "Demo"


class Login(TypedDict):
    """A line of the launcher's table: for whom, where, as whom, with what."""

    label: str
    address: str
    login: str
    secret: str


def write(company: Company) -> list[Login]:
    """The file of this folder, kept when everything in it still works, else made anew."""
    path = Path(settings.RUN_DIR) / "demo.json"
    kept = _read(path)
    rows = kept if kept is not None and _works(kept) else _fresh(company)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1, ensure_ascii=False)
    fresh.replace(path)
    return rows


def _read(path: Path) -> list[Login] | None:
    try:
        rows: list[Login] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return rows


def _works(rows: list[Login]) -> bool:
    people = {row["login"]: row["secret"] for row in rows if "@" in row["login"]}
    wanted = {email for _key, _name, email in TEAM} | {PORTAL_EMAIL}
    known = [row["secret"] for row in rows if "@" not in row["login"]]
    if not wanted <= people.keys() or not known or keys.find_key(known[0]) is None:
        return False
    users = {user.email: user for user in User.objects.filter(email__in=wanted)}
    return all(email in users and users[email].check_password(people[email]) for email in wanted)


def _fresh(company: Company) -> list[Login]:
    site = settings.SITE_URL
    rows: list[Login] = []
    for role, _name, email in TEAM:
        label = str(ROLES[role][0])
        rows.append({"label": label, "address": f"{site}/office/", "login": email, "secret": _password(email)})
    rows.append(
        {
            "label": "Customer",
            "address": f"{site}/portal/",
            "login": PORTAL_EMAIL,
            "secret": _password(PORTAL_EMAIL),
        }
    )
    at = clock.now(company)
    for old in ApiKey.objects.filter(company=company, name=KEY_NAME, revoked_at__isnull=True):
        keys.revoke_key(key=old, by=BY, at=at)
    _row, text = keys.issue_key(company=company, name=KEY_NAME, scopes=[keys.EVERYTHING], by=BY, at=at)
    rows.append({"label": "API key", "address": f"{site}/api/v1/", "login": "Bearer", "secret": text})
    return rows


def _password(email: str) -> str:
    password = secrets.token_hex(5)
    user = User.objects.get(email=email)
    user.set_password(password)
    user.save(update_fields=["password"])
    return password
