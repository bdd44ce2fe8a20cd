"""In a real browser: a tie by files is made, its tables downloaded, a file given in, its link opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.backoffice.conftest import TODAY, Office
from tests.browser.signing import sign_in
from tests.browser.test_office import BEYOND
from tests.browser.walking import Pictures
from tests.crm.tying import NOW, subscribed
from tests.factories import a_company, a_customer, a_plan

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def office(transactional_db: None) -> Office:
    cache.clear()
    company = a_company(today=TODAY)
    return Office(company, a_plan(company), a_customer(company))


def test_a_tie_by_files_is_made_downloaded_given_a_file_and_linked(
    page: Page, live_server: LiveServer, office: Office, tmp_path: Path
) -> None:
    from core.models import Job
    from core.services import jobs
    from crm.models import Tie
    from crm.services import tying

    (customer,) = subscribed(office.company, name="Quittenhof", phone="+49 30 1")
    sign_in(page, live_server.url, office.user().email)
    page.goto(live_server.url + "/office/settings/ties/")
    page.get_by_role("link", name="CSV files").click()
    page.get_by_label("Name").fill("Old shop")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Switch on").click()
    tie = Tie.objects.get()
    tying.run(tie=tie, at=NOW)
    page.reload()
    with page.expect_download() as download:
        page.get_by_role("link", name="Contacts").click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    assert text.startswith("email,name,phone,") and customer.email in text and ",'+49 30 1," in text
    page.get_by_role("link", name="Give in a file").click()
    changes = tmp_path / "changes.csv"
    changes.write_text(f"email,phone,advertising\n{customer.email},+49 30 2,no\nnobody@example.com,,no\n")
    page.get_by_label("File").set_input_files(changes)
    page.get_by_role("button", name="Give in").click()
    expect(page.get_by_text("changes.csv is being read.")).to_be_visible()
    jobs.work(Job.objects.get(kind="run_tie").pk)
    page.goto(f"{live_server.url}/office/settings/ties/{tie.ref}/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Result by line").click()
    assert Path(download.value.path()).read_text("utf-8-sig").splitlines()[1:] == [
        "1,unsubscribed,", "2,nobody here has this address,",
    ]  # fmt: skip
    customer.refresh_from_db()
    assert (customer.phone, customer.marketing_consent_at) == ("+49 30 2", None)
    page.get_by_role("button", name="Make a secret link").click()
    link = page.locator("dd", has_text="contacts.csv").inner_text()
    Pictures("tie").snap(page, "link")
    answer = page.request.get(live_server.url + link[link.index("/tie-files/") :])
    assert answer.ok and customer.email in answer.text()
    page.goto(f"{live_server.url}/office/settings/ties/{tie.ref}/")
    Pictures("tie").take(page, "files")
    found = []
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for place in ("", "changes/", "files/give/"):
            address = f"settings/ties/{tie.ref}/{place}"
            page.goto(f"{live_server.url}/office/{address}")
            found += [f"{address}: {one['id']}" for one in Axe().run(page).response["violations"]]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                found.append(f"{address} at {width}: {page.evaluate(BEYOND)}")
    assert found == []
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{live_server.url}/office/settings/ties/{tie.ref}/")
    page.get_by_role("button", name="Switch the link off").click()
    expect(page.get_by_text("The link is switched off.")).to_be_visible()
