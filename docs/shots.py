"""Pictures of the running demo's pages, for the docs and for whoever wants to see what a change did.

Run `make demo` in one terminal, then `make shots` in another. Pages are reached as people reach them: signed in with
the demo's passwords, following the first link of a list. Pictures go to `.turnus/shots`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ops import environment, places

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """A page: where to begin, and the links (patterns of their addresses) to follow from there."""

    name: str
    start: str
    follow: list[str] = field(default_factory=list)


CUSTOMER = r"/office/customers/cus_[^/]+/$"
SUBSCRIPTION = r"/office/subscriptions/sub_[^/]+/$"
OFFICE = [
    Shot("office-home", "/office/"),
    Shot("customers", "/office/customers/"),
    Shot("customer", "/office/customers/", [r"/office/customers/cus_[^/]+/$"]),
    Shot("customer-new", "/office/customers/new/"),
    Shot("leads", "/office/leads/"),
    Shot("lead", "/office/leads/", [r"/office/leads/led_[^/]+/$"]),
    Shot("quotes", "/office/quotes/"),
    Shot("quote", "/office/quotes/", [r"/office/quotes/quo_[^/]+/$"]),
    Shot("segments", "/office/segments/"),
    Shot("segment", "/office/segments/", [r"/office/segments/seg_[^/]+/$"]),
    Shot("mailings", "/office/mailings/"),
    Shot("mailing", "/office/mailings/", [r"/office/mailings/mlg_[^/]+/$"]),
    Shot("activities", "/office/activities/"),
    Shot("plans", "/office/plans/"),
    Shot("plan", "/office/plans/", [r"/office/plans/pln_[^/]+/$"]),
    Shot("subscriptions", "/office/subscriptions/"),
    Shot("subscription", "/office/customers/?q=Werft+Petersen", [CUSTOMER, SUBSCRIPTION]),
    Shot("preview", "/office/customers/?q=Werft+Petersen", [CUSTOMER, SUBSCRIPTION, r"/cancel/"]),
    Shot("subscription-new", "/office/subscriptions/new/"),
    Shot("invoices", "/office/invoices/"),
    Shot("invoice", "/office/invoices/", [r"/office/invoices/inv_[^/]+/$"]),
    Shot("payments", "/office/payments/"),
    Shot("recovery", "/office/recovery/"),
    Shot("bank", "/office/bank/"),
    Shot("alerts", "/office/alerts/"),
    Shot("tasks", "/office/tasks/"),
    Shot("reminders", "/office/reminders/"),
    Shot("reminder-rule", "/office/reminders/", [r"/office/reminders/rules/rrl_[^/]+/$"]),
    Shot("reminder-edit", "/office/reminders/", [r"/office/reminders/rules/rrl_[^/]+/$", r"/edit/$"]),
    Shot("renewal-law", "/office/reminders/law/"),
    Shot("messages", "/office/messages/"),
    Shot("runs", "/office/runs/"),
    Shot("parked", "/office/runs/parked/"),
    Shot("imports", "/office/imports/new/"),
    Shot("revenue", "/office/reports/mrr/"),
    Shot("settings", "/office/settings/"),
    Shot("company", "/office/settings/company/"),
    Shot("mails", "/office/settings/mails/"),
    Shot("mail-text", "/office/settings/mails/", [r"/office/settings/mails/[^/]+/de/$"]),
    Shot("webhook-new", "/office/settings/webhooks/new/"),
    Shot("timetable", "/office/settings/timetable/"),
    Shot("outbox", "/office/settings/outbox/"),
    Shot("audit", "/office/settings/audit/"),
]
PORTAL = [
    Shot("portal-home", "/portal/"),
    Shot("portal-subscription", "/portal/subscriptions/", [r"/portal/subscriptions/sub_[^/]+/$"]),
    Shot("portal-cancel", "/portal/subscriptions/", [r"/portal/subscriptions/sub_[^/]+/$", r"/cancel/$"]),
    Shot("portal-invoices", "/portal/invoices/"),
    Shot("portal-pay", "/portal/", [r"/pay/[^/]+/$"]),
    Shot("portal-methods", "/portal/methods/"),
    Shot("portal-data", "/portal/data/"),
    Shot("public-lead", "/portal/hafenlicht/contact/"),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", default="http://localhost:8000", help="address of the running demo")
    parser.add_argument("--out", type=Path, default=places.state_folder() / "shots", help="folder for the pictures")
    parser.add_argument("--widths", default="1440,375", help="widths in pixels")
    parser.add_argument("--themes", default="light,dark", help="light, dark")
    parser.add_argument("--languages", default="en,de", help="languages of the pages")
    parser.add_argument("--only", default="", help="names of the pages, separated by commas; empty: all")
    options = parser.parse_args()
    logins = places.state_folder() / "demo.json"
    if not logins.exists():
        print("Start `make demo` first; it writes down who may sign in.", file=sys.stderr)
        return 1
    people = [row for row in json.loads(logins.read_text(encoding="utf-8")) if "@" in row["login"]]
    staff = next(row for row in people if "/portal" not in row["address"])
    customer = next(row for row in people if "/portal" in row["address"])

    from playwright.sync_api import sync_playwright

    options.out.mkdir(parents=True, exist_ok=True)
    wanted = set(filter(None, options.only.split(",")))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=environment.find_browser(), args=FLAGS)
        for person, shots in ((staff, OFFICE), (customer, PORTAL)):
            chosen = [shot for shot in shots if not wanted or shot.name in wanted]
            for picture in take(browser, options, person, chosen):
                print(picture)
        browser.close()
    return 0


def take(browser: Browser, options: argparse.Namespace, person: dict[str, str], shots: list[Shot]) -> Iterator[Path]:
    """Signs in once per look and takes the pictures of that look."""
    looks = itertools.product(options.widths.split(","), options.themes.split(","), options.languages.split(","))
    for width, theme, language in looks if shots else ():
        context = browser.new_context(viewport={"width": int(width), "height": 900}, locale=language)
        context.add_cookies(
            [
                {"name": name, "value": value, "url": options.site}
                for name, value in (("theme", theme), ("language", language))
            ]  # fmt: skip
        )
        page = context.new_page()
        sign_in(page, options.site, person)
        for shot in shots:
            if not reach(page, options.site, shot):
                print(f"{shot.name}: no such link", file=sys.stderr)
                continue
            path = options.out / f"{shot.name}-{width}-{theme}-{language}.png"
            page.screenshot(path=path, full_page=True, animations="disabled")
            yield path
        context.close()


def sign_in(page: Page, site: str, person: dict[str, str]) -> None:
    page.goto(f"{site}/accounts/login/")
    page.click("details > summary")
    page.fill("input[name=login]", person["login"])
    page.fill("input[name=password]", person["secret"])
    page.press("input[name=password]", "Enter")
    page.wait_for_url(re.compile(r"/(office|portal)/"))


def reach(page: Page, site: str, shot: Shot) -> bool:
    """Goes to the page; False when a link on the way does not exist."""
    page.goto(site + shot.start, wait_until="networkidle")
    for pattern in shot.follow:
        links = page.eval_on_selector_all("main a[href]", "links => links.map(link => link.getAttribute('href'))")
        goal = next((link for link in links if re.search(pattern, link)), None)
        if goal is None:
            return False
        page.goto(site + goal, wait_until="networkidle")
    return True


if __name__ == "__main__":
    sys.exit(main())
