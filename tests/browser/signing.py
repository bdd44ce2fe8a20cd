"""Signing in as people do: ask for a code, read it in the mail, type it."""

from __future__ import annotations

import re

from django.core import mail
from playwright.sync_api import Page


def sign_in(page: Page, site: str, email: str) -> None:
    """From the sign-in page to the door the person belongs to; needs Django's mailbox of the tests."""
    before = len(mail.outbox)
    page.goto(site + "/accounts/login/")
    page.get_by_label("E-mail address").first.fill(email)
    page.get_by_role("button", name="Send me a code").click()
    page.locator("input[name=code]").wait_for()
    assert len(mail.outbox) == before + 1
    code = code_in(str(mail.outbox[-1].body))
    page.locator("input[name=code]").fill(code)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/(portal|office)/"))


def code_in(body: str) -> str:
    """The code stands alone on its line."""
    found = re.search(r"^\s*([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})\s*$", body, re.MULTILINE)
    assert found is not None, body
    return found[1]
