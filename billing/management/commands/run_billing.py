"""`manage.py run_billing --on DATE`: bills everything due up to a day, with a progress bar and a summary."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from billing.models import BillingRun
from billing.services import running
from billing.services.running.progress import Figures
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from pricing.money import Money

SHOWN_PARKED = 50
#: Seconds between two lines of progress where no bar can be drawn.
PLAIN_EVERY = 10


class Command(BaseCommand):
    help = "Bill everything due up to a day. Again, at once, or after a crash: it goes on and adds nothing twice."
    # They would load every page: time and memory that a run doesn't need.
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--on", type=date.fromisoformat, default=None, help="day up to which is billed; default: today"
        )
        parser.add_argument("--company", default="", help="its slug; not needed when there is only one")
        parser.add_argument("--dry-run", action="store_true", help="count and show everything, write nothing")
        parser.add_argument("--workers", type=int, default=1, help="processes that work beside each other; default: 1")
        parser.add_argument(
            "--notify-since", type=date.fromisoformat, default=None,
            help="charges due earlier are issued without mail; default: seven days before --on",
        )  # fmt: skip
        parser.add_argument(
            "--release", action="store_true", help="let a run go on that waits because it wrote more than expected"
        )
        parser.add_argument("--chunk", type=int, default=0, help="due subscriptions in one transaction; default: 1000")

    def handle(self, *args: Any, **options: Any) -> None:
        company = company_named(options["company"])
        at = clock.now(company)
        today = clock.day_in(at, company.time_zone)
        on = options["on"] or today
        if options["workers"] < 1 or options["workers"] > 64:
            raise CommandError(_("--workers is a number from 1 to 64."))
        if on > today:
            self.stderr.write(_("%(on)s is still to come: charges are billed before they are due.") % {"on": on})
        self.begun = self.said = time.monotonic()
        common: dict[str, Any] = {
            "company": company, "on": on, "notify_since": options["notify_since"],
            "by": Actor.system("run_billing"), "at": at,
        }  # fmt: skip
        try:
            if options["dry_run"]:
                self.rehearse(common)
            else:
                self.bill(common, options)
        except Refused as refused:
            hint = " manage.py run_billing --release" if refused.code == "run.held" else ""
            raise CommandError(refused.message + hint, returncode=2) from None
        except KeyboardInterrupt:
            self.stderr.write("")
            raise CommandError(
                _("Stopped. What was billed stays; the same command goes on with the rest."), returncode=130
            ) from None

    def rehearse(self, common: dict[str, Any]) -> None:
        shown = running.rehearse(**common, told=lambda so_far: self.draw(so_far.done, so_far.forecast_lines))
        self.sum_up(shown.done, due=shown.due_count)
        if shown.skipped:
            self.stdout.write(_("In use by others just now: %(count)s customers") % {"count": shown.skipped})
        self.list_parked(len(shown.parked), [(f"SUB-{pk:06d}", code, detail) for pk, code, detail in shown.parked])
        self.stdout.write(_("Dry run: nothing was changed."))
        if shown.parked:
            sys.exit(1)

    def bill(self, common: dict[str, Any], options: dict[str, Any]) -> None:
        company, on = common["company"], common["on"]
        if options["release"]:
            for run in running.unfinished(company=company):
                if run.state == BillingRun.State.HELD:
                    running.release(run=run, by=common["by"], at=common["at"])
        cut = running.Cut(subscriptions=options["chunk"]) if options["chunk"] else running.Cut()
        runs = [run for run in running.unfinished(company=company, by_day=on) if run.state != BillingRun.State.HELD]
        for run in runs:
            if run.on < on or run.zones:
                self.stderr.write(_("Going on with the run for %(on)s first.") % {"on": run.on})
                self.work(run, options["workers"])
        started = running.start(**common, cut=cut)
        if started is None:
            self.stdout.write(_("Nothing is due by %(on)s.") % {"on": on})
        else:
            self.work(started, options["workers"])
        parked = running.parked(company=company, by_day=on)
        count = parked.count()
        rows = parked[:SHOWN_PARKED].values_list("pk", "parked_code", "parked_detail")
        self.list_parked(count, [(f"SUB-{pk:06d}", code, detail) for pk, code, detail in rows])
        if count:
            sys.exit(1)

    def work(self, run: BillingRun, workers: int) -> None:
        run = running.work(run, workers=workers, told=lambda: self.draw(running.figures(run), run.forecast_lines))
        done = running.figures(run)
        self.draw(done, run.forecast_lines, last=True)
        self.sum_up(done, due=run.due_count)
        if run.state == BillingRun.State.HELD:
            raise Refused("run.held", run=run.ref, on=run.on)

    def draw(self, done: Figures, expected: int, *, last: bool = False) -> None:
        now = time.monotonic()
        rate = done.line_count / max(now - self.begun, 0.001)
        counts = f"{done.line_count:,}/{expected:,}"
        if self.stderr.isatty():
            share = 1.0 if last else min(done.line_count / expected, 1.0) if expected else 0.0
            filled = round(30 * share)
            bar = "█" * filled + "░" * (30 - filled)
            self.stderr.write(f"\r{bar} {counts}  {rate:,.0f}/s ", ending="\n" if last else "")
            self.stderr.flush()
        elif last or now - self.said >= PLAIN_EVERY:
            self.said = now
            self.stderr.write(_("%(counts)s lines, %(rate)s a second") % {"counts": counts, "rate": f"{rate:,.0f}"})

    def sum_up(self, done: Figures, *, due: int) -> None:
        seconds = time.monotonic() - self.begun
        rows = [
            (_("Subscriptions due"), due),
            (_("Invoices"), done.invoice_count),
            (_("Of them without mail"), done.quiet_count),
            (_("Lines"), done.line_count),
            (_("Credit notes"), done.credit_note_count),
        ]
        for label, count in rows:
            self.stdout.write(f"{label + ':':<24}{count:>14,}")
        for currency, sums in sorted(done.totals.items()):
            for label, name in ((_("Net"), "net"), (_("Tax"), "tax"), (_("Gross"), "gross")):
                amount = Money(sums[name], currency).amount
                self.stdout.write(f"{label + ':':<24}{amount:>14,f} {currency}")
        rate = f"{done.invoice_count / max(seconds, 0.001):,.0f}"
        self.stdout.write(
            _("%(seconds)s seconds, %(rate)s invoices a second") % {"seconds": f"{seconds:,.1f}", "rate": rate}
        )

    def list_parked(self, count: int, rows: list[tuple[str, str, str]]) -> None:
        if not count:
            return
        self.stdout.write(_("Parked, not billed: %(count)s") % {"count": count})
        for number, code, detail in rows[:SHOWN_PARKED]:
            self.stdout.write(f"  {number}  {code}  {detail}".rstrip())
        if count > SHOWN_PARKED:
            self.stdout.write(_("  … and %(more)s more") % {"more": count - SHOWN_PARKED})


def company_named(slug: str) -> Company:
    """The company with that slug, or the only one."""
    companies = list(Company.objects.filter(slug=slug) if slug else Company.objects.order_by("pk")[:2])
    if not companies:
        raise CommandError(_("There is no such company. Open one with: manage.py open_company"))
    if len(companies) > 1:
        raise CommandError(_("There are several companies; name one with --company SLUG."))
    return companies[0]
