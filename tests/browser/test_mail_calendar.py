"""The pictures of a year's mails: one of each mail and one of the whole, in every look."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from docs import calendars
from tests.stories.year_of_mails import a_year

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


def test_every_mail_of_a_french_year_has_its_picture(browser: Browser, tmp_path: Path) -> None:
    drawn = [path.name for path in calendars.draw(browser, a_year(("FR",)), tmp_path, widths=[375], themes=["dark"])]
    assert drawn == [
        "fr-00-overview-375-dark.png",
        "fr-01-2026-03-01-invoice_issued-375-dark.png",
        "fr-02-2026-10-31-remind_card-375-dark.png",
        "fr-03-2026-11-23-remind_card-375-dark.png",
        "fr-04-2026-12-01-notice_fr_l215_1-375-dark.png",
        "fr-05-2027-01-30-remind_renewal-375-dark.png",
        "fr-06-2027-03-01-invoice_issued-375-dark.png",
    ]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in drawn)
