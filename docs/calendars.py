"""Pictures of the mails of a year: one consumer each in Germany, France, Italy and Spain, in their language.

The year is lived by the product's own ticks in a database made for it and dropped afterwards, as the story among the
tests lives it; each mail is drawn as it goes out, and a page for each country says what was sent when, and by which
law. Run `make shots`, or `python -m ops with .venv/bin/python -m docs.calendars`; pictures go to
`.turnus/shots/calendars`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docs.shots import FLAGS
from ops import environment, places

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDTHS = (640, 375)
THEMES = ("light", "dark")
#: The database of the year, unlike any of a person's.
DATABASE = "turnus_mail_calendars"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    folder = places.state_folder() / "shots" / "calendars"
    parser.add_argument("--out", type=Path, default=folder, help="folder for the pictures")
    parser.add_argument("--widths", default=",".join(map(str, WIDTHS)), help="widths in pixels")
    parser.add_argument("--themes", default=",".join(THEMES), help="light, dark")
    parser.add_argument("--countries", default="DE,FR,IT,ES", help="countries, separated by commas")
    options = parser.parse_args()

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ["TURNUS_TEST_DB"] = DATABASE
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright keeps an event loop in this thread
    import django

    django.setup()
    from django.db import connection, connections
    from django.test.utils import setup_test_environment
    from playwright.sync_api import sync_playwright

    from tests.stories.year_of_mails import a_year

    setup_test_environment()  # no mail leaves the house
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        held = a_year(tuple(options.countries.split(",")))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=environment.find_browser(), args=FLAGS)
            widths = [int(width) for width in options.widths.split(",")]
            for picture in draw(browser, held, options.out, widths=widths, themes=options.themes.split(",")):
                print(picture)
            browser.close()
    finally:
        connections.close_all()
        with connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]
            cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    return 0


def draw(
    browser: Browser, held: Mapping[str, Any], out: Path, *, widths: Sequence[int] = WIDTHS,
    themes: Sequence[str] = THEMES,
) -> Iterator[Path]:  # fmt: skip
    """Draws the mails to the subscribers of `held`, and their countries' overviews, in every look; the files."""
    pages = [page for country, subscription in held.items() for page in pages_of(country, subscription)]
    out.mkdir(parents=True, exist_ok=True)
    for width, theme in itertools.product(widths, themes):
        context = browser.new_context(viewport={"width": width, "height": 200}, color_scheme=theme)  # type: ignore[arg-type]
        sheet = context.new_page()
        for name, html in pages:
            sheet.set_content(html)
            path = out / f"{name}-{width}-{theme}.png"
            sheet.screenshot(path=path, full_page=True, animations="disabled")
            yield path
        context.close()


def pages_of(country: str, subscription: Any) -> Iterator[tuple[str, str]]:
    """The overview and the mails of a subscriber: the name of the file, and the page."""
    from customers.services import mail_layout
    from tests.stories.year_of_mails import mails_of

    mails = mails_of(subscription)
    yield f"{country.lower()}-00-overview", overview(country, subscription, mails)
    for number, mail in enumerate(mails, start=1):
        day = mail.created_at.date().isoformat()
        html = mail_layout.shown(mail.company, language=mail.language, subject=mail.subject, body=mail.body)
        yield f"{country.lower()}-{number:02}-{day}-{mail.template}", html


def overview(country: str, subscription: Any, mails: Sequence[Any]) -> str:
    """What was sent when, why, and by which law, in the subscriber's language."""
    from django.template import Context, Engine
    from django.utils.text import capfirst
    from django.utils.translation import gettext, override

    from core.design import formats
    from crm.services.law_table import law_of, laws
    from customers.services import mail_texts
    from subscriptions.models import RenewalNotice

    language = subscription.customer.language
    by_mail = dict(RenewalNotice.objects.filter(subscription=subscription).values_list("message_id", "law"))
    with override(language):
        notice, rows = str(RenewalNotice._meta.verbose_name), []
        for mail in mails:
            law = law_of(by_mail.get(mail.pk, ""))
            rows.append({
                "day": mail.created_at.date(),
                "said": formats.day(mail.created_at.date(), style="long"),
                "occasion": mail_texts.kind_of(mail.template).title if law is None else capfirst(notice),
                "subject": mail.subject,
                "category": mail_texts.CATEGORIES[mail.category],
                "law": law.title if law is not None else "",
                "words": law.words if law is not None else "",
            })  # fmt: skip
        place = formats.locale_of(language).territories[country]
        quiet = [
            law
            for law in laws()
            if law.country == country and not law.needs_notice and law.holds(subscription.start_on)
        ]
        engine = Engine(libraries={"i18n": "django.templatetags.i18n"})
        template = engine.from_string(Path(__file__).with_name("mail_calendar.html").read_text(encoding="utf-8"))
        context = {
            "language": language, "title": f"{place} · {gettext('Mails')}", "mails": rows, "without": quiet,
            "plan": subscription.name, "company": subscription.company.name,
        }  # fmt: skip
        return template.render(Context(context))


if __name__ == "__main__":
    sys.exit(main())
