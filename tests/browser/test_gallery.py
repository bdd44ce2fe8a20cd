"""Every part in a real browser: accessible, as wide as the window, usable by keyboard and without script."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PLACES = ["/ui/gallery/", "/ui/gallery/?dialog=1", "/ui/gallery/?door=portal&brand=1", "/accounts/login/"]


@pytest.fixture(autouse=True)
def in_development(settings: Settings) -> None:
    settings.DEBUG = True


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 375])
def test_axe_finds_nothing(page: Page, live_server: LiveServer, place: str, scheme: Any, width: int) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(live_server.url + place)
    page.evaluate("document.querySelectorAll('.chart details').forEach((one) => { one.open = true; })")
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_page_320_wide_needs_no_sideways_scroll(
    page: Page, live_server: LiveServer, place: str, language: str
) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(f"{live_server.url}{place}{'&' if '?' in place else '?'}language={language}")
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_a_refused_form_takes_the_focus_to_its_summary(page: Page, live_server: LiveServer) -> None:
    page.goto(live_server.url + "/ui/gallery/")
    expect(page.locator(".error-summary")).to_be_focused()


def test_keys_search_help_and_lists(page: Page, live_server: LiveServer) -> None:
    page.goto(live_server.url + "/ui/gallery/")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    expect(page.locator("#keys-help")).to_be_visible()
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="INV-2026-000841")).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator(".bulk")).to_be_visible()
    expect(page.locator("[data-selected-count]")).to_have_text("1")
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="INV-2026-000842").first).to_be_focused()


def test_single_keys_can_be_switched_off(page: Page, live_server: LiveServer) -> None:
    page.goto(live_server.url + "/ui/gallery/")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    page.get_by_label("Single keys are active on this device").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    expect(page.locator("#keys-help")).to_be_hidden()
    page.keyboard.press("Control+k")
    expect(page.locator("[data-search]")).to_be_focused()


def test_escape_closes_a_menu_and_gives_the_focus_back(page: Page, live_server: LiveServer) -> None:
    page.goto(live_server.url + "/ui/gallery/")
    button = page.locator(".page-header .menu > summary")
    button.click()
    expect(page.locator(".page-header .menu__panel")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".page-header .menu__panel")).to_be_hidden()
    expect(button).to_be_focused()


def test_colours_change_at_once_and_stay(page: Page, live_server: LiveServer) -> None:
    page.goto(live_server.url + "/accounts/login/")
    with page.expect_response("**/ui/theme/"):
        page.get_by_role("button", name="Dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 16, 18)"


def test_the_navigation_opens_without_script(browser: Browser, live_server: LiveServer) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 375, "height": 800})
    try:
        page = context.new_page()
        page.goto(live_server.url + "/ui/gallery/")
        expect(page.locator(".sidebar")).to_be_hidden()
        page.get_by_role("button", name="Menu", exact=True).click()
        expect(page.get_by_role("link", name="Invoices").first).to_be_visible()
    finally:
        context.close()
