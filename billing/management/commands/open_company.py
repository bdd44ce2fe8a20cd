"""`manage.py open_company`: a company that can sell, with its roles, taxes and books."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from billing.services.companies import open_company
from core import clock
from core.actors import Actor
from core.models import User
from core.refusal import Refused


def instant(text: str) -> datetime:
    """An ISO instant; without a zone it is UTC, without a time noon."""
    found = datetime.fromisoformat(text if len(text) > 10 else f"{text}T12:00")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = "Open a company: the row, its roles, tax rates, chart of accounts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--slug", required=True, help="name in addresses, lower case")
        parser.add_argument("--name", required=True, help="short name")
        parser.add_argument("--legal-name", default="", help="name printed on documents; the short one when left out")
        parser.add_argument("--country", required=True, help="ISO 3166 code, such as DE")
        parser.add_argument("--currency", required=True, help="ISO 4217 code, such as EUR")
        parser.add_argument("--language", default="en", help="en, de, fr, it or es")
        parser.add_argument("--time-zone", default="UTC", help="IANA name, such as Europe/Berlin")
        parser.add_argument(
            "--books-start-on", type=date.fromisoformat, required=True, help="no invoice covers earlier days"
        )
        parser.add_argument("--email", default="", help="sender of mails to customers")
        parser.add_argument("--owner", default="", metavar="EMAIL", help="an administrator; made when unknown")
        parser.add_argument("--test", action="store_true", help="a test company, for ever")
        parser.add_argument("--clock", type=instant, help="where a test company's own clock starts")

    def handle(self, *args: Any, **options: Any) -> None:
        at = options["clock"] or clock.machine_now()
        try:
            company = open_company(
                name=options["name"],
                slug=options["slug"],
                legal_name=options["legal_name"] or options["name"],
                country=options["country"],
                currency=options["currency"],
                language=options["language"],
                time_zone=options["time_zone"],
                books_start_on=options["books_start_on"],
                is_live=not options["test"],
                clock_at=options["clock"],
                email=options["email"],
                owner=self.owner(options["owner"]),
                by=Actor.system("open_company"),
                at=at,
            )
        except Refused as refused:
            raise CommandError(f"{refused.field}: {refused.message}" if refused.field else refused.message) from None
        self.stdout.write(_("%(name)s is open: %(slug)s") % {"name": company.name, "slug": company.slug})

    def owner(self, email: str) -> User | None:
        if not email:
            return None
        return User.objects.filter(email__iexact=email).first() or User.objects.create_user(email)
