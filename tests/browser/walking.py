"""What the people of the walk do: staff in the office, the subscriber in the portal, each in a browser of their own.

The rule that matters: nothing but pages is used, except for the worker's jobs, the mail box and the bank's files.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from django.core import mail
from playwright.sync_api import Page, expect

from tests.browser.signing import sign_in
from tests.money.providers import Providers

STAFF = "ada@nordlicht.example"


def newest_job() -> None:
    """Does what a worker would: the newest job."""
    from core.models import Job
    from core.services import jobs

    jobs.work(Job.objects.latest("pk").pk)


def relay() -> None:
    """Does what a worker would: what waits is mailed."""
    from core.services import outbox

    while outbox.relay(worker="test").done:
        pass


def speak(page: Page, language: str) -> None:
    """The language of the pages of this site from now on."""
    site = "/".join(page.url.split("/")[:3]) + "/"
    page.context.add_cookies([{"name": "language", "value": language, "url": site}])


@dataclass
class Pictures:
    """Where TURNUS_SHOTS names a folder: each page in German, wide and narrow, by day and by night. Else nothing."""

    way: str
    folder: str = field(default_factory=lambda: os.environ.get("TURNUS_SHOTS", ""))

    def snap(self, page: Page, name: str) -> None:
        """As it stands, where reading it again would lose what was typed."""
        if self.folder:
            page.screenshot(path=Path(self.folder) / f"{self.way}-{name}.png", full_page=True)

    def take(self, page: Page, name: str) -> None:
        if not self.folder:
            return
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        before = page.viewport_size
        page.wait_for_load_state()
        speak(page, "de")
        for width in (1440, 375):
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                page.reload()
                page.screenshot(path=Path(self.folder) / f"{self.way}-{name}-{width}-{scheme}.png", full_page=True)
        speak(page, "en")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(before or {"width": 1280, "height": 800})
        page.reload()


@dataclass
class Staff:
    """Somebody at work in the office."""

    page: Page
    site: str
    pictures: Pictures

    def go(self, path: str) -> None:
        self.page.goto(f"{self.site}/office/{path}")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def come_in(self) -> None:
        sign_in(self.page, self.site, STAFF)

    def sell(self, *, name: str, email: str) -> None:
        """A customer, somebody there who may sign in, and a subscription that is billed at once."""
        page = self.page
        self.go("customers/new/")
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Street").fill("Vestergade 12")
        page.get_by_label("Town").fill("Hamburg")
        self.press("Save")
        page.get_by_role("link", name="Contacts").click()
        page.get_by_role("link", name="Add a contact").first.click()
        page.get_by_label("Name", exact=True).fill("Greta Holm")
        page.get_by_label("E-mail").fill(email)
        self.press("Save")
        self.press("Invite to the portal")
        expect(page.get_by_text(f"A mail with the way in is on its way to {email}.")).to_be_visible()
        page.get_by_role("link", name="Start a subscription").click()
        page.get_by_role("link", name=re.compile("^Team")).click()
        expect(page.locator("#preview .button__sum")).to_have_text("€119.00")
        page.get_by_role("button", name="Start and bill").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Team")

    def a_month_ahead(self) -> None:
        self.go("")
        self.press("One month ahead")
        self._worked()

    def advance(self, to: date) -> None:
        """Moves the company's clock; every tick is asked on every day."""
        self.go("settings/sandboxes/")
        self.page.get_by_label("Move the clock to").fill(to.isoformat())
        self.press("Advance")
        self._worked()

    def _worked(self) -> None:
        newest_job()
        self.page.reload()
        expect(self.page.locator("main .badge", has_text="Done")).to_be_visible()
        relay()

    def read_statement(self, data: bytes) -> None:
        """Uploads a file of the bank."""
        self.go("bank/new/")
        self.page.get_by_label("Statement").set_input_files(
            {"name": "statement.xml", "mimeType": "application/xml", "buffer": data}
        )
        self.press("Read a statement in")
        expect(self.page.get_by_text("1 lines are new, 0 were known; 1 are matched.")).to_be_visible()

    def expect_at_risk(self, customer: str, amount: str) -> None:
        """The board shows the customer with that sum."""
        self.go("recovery/")
        expect(self.page.locator("main").get_by_role("link", name=customer)).to_be_visible()
        expect(self.page.locator(".stat", has_text="At risk")).to_contain_text(amount)
        self.pictures.take(self.page, "board")
        self.page.locator("main").get_by_role("link", name=customer).click()
        self.pictures.take(self.page, "case")

    def expect_recovered(self, customer: str, amount: str) -> None:
        """The board shows the sum as recovered, and the case among the closed ones."""
        self.go("recovery/")
        expect(self.page.locator(".stat", has_text="Recovered in")).to_contain_text(amount)
        self.pictures.take(self.page, "board-recovered")
        self.go("recovery/?view=closed")
        row = self.page.get_by_role("row", name=re.compile(customer)).first
        expect(row).to_contain_text(amount)
        expect(row).to_contain_text("Paid")

    def credit(self, invoice: Any, amount: str) -> None:
        """A credit note over all of the invoice."""
        self.go(f"invoices/{invoice.ref}/credit/")
        self.page.get_by_label("Reason").fill("Not used")
        self.press("Preview")
        expect(self.page.locator("#preview")).to_contain_text(amount)
        self.pictures.snap(self.page, "credit")
        self.page.get_by_role("button", name=re.compile("Issue the credit note")).click()
        expect(self.page.get_by_text("is issued.")).to_be_visible()

    def give_back(self, payment: Any, amount: str) -> None:
        """The credit goes back out of the payment that brought it."""
        page = self.page
        self.go(f"payments/{payment.ref}/")
        self.pictures.take(page, "payment")
        page.locator(".page-header .menu > summary").click()
        page.get_by_role("link", name="Give money back").click()
        page.get_by_label("Amount").fill(amount)
        page.get_by_label("Reason").fill("Not used")
        self.press("Preview")
        expect(page.locator("#preview .button__sum")).to_have_text(f"€{amount}")
        self.pictures.snap(page, "refund")
        page.get_by_role("button", name=re.compile("Give money back")).click()

    def pay_out_file(self) -> bytes:
        """The file of transfers with the refunds that wait."""
        self.go("debit-files/")
        self.pictures.take(self.page, "debit-files")
        with self.page.expect_download() as loading:
            self.page.get_by_role("button", name=re.compile("Make a pay-out file")).click()
        return loading.value.path().read_bytes()


@dataclass
class Subscriber:
    """Somebody who pays."""

    page: Page
    site: str
    email: str
    providers: Providers
    pictures: Pictures

    def come_in(self) -> None:
        sign_in(self.page, self.site, self.email)

    def go(self, path: str) -> None:
        self.page.goto(f"{self.site}/portal/{path}")

    def open_mailed_link(self, number: str) -> None:
        """The newest mail with a pay link is about this invoice; it is opened by somebody who isn't signed in."""
        found = [one for one in mail.outbox if one.to == [self.email] and re.search(r"/pay/\S+", str(one.body))]
        assert found, [(one.to, one.subject) for one in mail.outbox]
        assert number in str(found[-1].body)
        self.page.context.clear_cookies()
        self.page.goto(re.findall(r"https?://\S+/pay/\S+", str(found[-1].body))[-1])
        expect(self.page.get_by_role("link", name="Sign in").first).to_be_visible()
        self.pictures.take(self.page, "pay-by-link")

    def type_card(self, number: str, button: str) -> None:
        page = self.page
        page.wait_for_url(re.compile(re.escape(self.providers.stripe)))
        page.get_by_label("Card number").fill(number)
        page.get_by_label("Expiry (MM / YY)").fill("12 / 34")
        page.get_by_label("Security code").fill("123")
        page.get_by_label("Name").fill("Greta Holm")
        page.get_by_role("button", name=re.compile(button)).click()

    def agree_at_paypal(self, button: str) -> None:
        page = self.page
        page.wait_for_url(re.compile(re.escape(self.providers.paypal)))
        page.get_by_label("E-mail").fill("greta@example.org")
        page.get_by_role("button", name=button).click()

    def sign_mandate(self, iban: str) -> None:
        page = self.page
        self.pictures.take(page, "mandate")
        page.get_by_label("IBAN").fill(iban)
        page.get_by_label("Account holder").fill("Greta Holm")
        page.get_by_label("Signature").fill("Greta Holm")
        page.get_by_label("I have read the mandate above and grant it.").check()
        page.get_by_role("button", name="Sign", exact=True).click()

    def reference(self) -> tuple[str, str]:
        """The IBAN and the reference that the pay page names for a transfer; its code for banking apps is there."""
        page = self.page
        expect(page.get_by_role("img", name="Code for your banking app: it fills in the transfer.")).to_be_visible()
        card = page.locator(".transfer")
        shown = {term: card.locator(f"dt:has-text('{term}') + dd").inner_text() for term in ("IBAN", "Reference")}
        return shown["IBAN"].replace(" ", "").split("\n")[0], shown["Reference"].split("\n")[0]

    def expect_paid(self) -> None:
        expect(self.page.get_by_text("Thank you, your payment has arrived.")).to_be_visible()
        self.pictures.take(self.page, "paid")

    def expect_given_back(self, amount: str) -> None:
        """Signed in again: the credit note says that the money was refunded."""
        self.come_in()
        self.go("credit-notes/")
        self.page.locator("main table").get_by_role("link").first.click()
        expect(self.page.locator("dt:has-text('Refunded') + dd")).to_have_text(amount)
        self.pictures.take(self.page, "given-back")
