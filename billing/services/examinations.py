"""What the doctor looks at in billing: unfinished runs, payments, numbers without holes, the chain, the books."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Attempt, BillingRun
from billing.services import ledger_check, payment_days, tiling
from billing.services.chain import verify_chain
from core.models import Company
from core.services.doctoring import Finding, Level, examination

#: A run that took so long has nobody working on it.
LONG = timedelta(hours=6)
#: Providers answer look-ups for a week.
UNKNOWN = timedelta(days=7)


@examination("runs", gettext_lazy("Billing runs"))
def runs(at: datetime) -> Iterable[Finding]:
    """No run stands still."""
    states = [BillingRun.State.RUNNING, BillingRun.State.HELD]
    for run in BillingRun.objects.filter(company__is_live=True, state__in=states).select_related("company"):
        if run.state == BillingRun.State.HELD:
            yield Finding(
                Level.LOOK,
                _("Run %(run)s of %(company)s waits for approval.") % {"run": run.ref, "company": run.company.slug},
                _("Billing → Runs shows why; approve it there."),
            )
        elif at - run.started_at > LONG:
            yield Finding(
                Level.BROKEN,
                _("Run %(run)s of %(company)s has been at work for more than six hours.")
                % {"run": run.ref, "company": run.company.slug},
                _("Start a worker: manage.py worker; what is left of it is taken up by itself."),
            )


@examination("attempts", gettext_lazy("Payments at providers"))
def attempts(at: datetime) -> Iterable[Finding]:
    """No payment has been of unknown outcome for longer than providers are asked."""
    stuck = Attempt.objects.filter(
        company__is_live=True, state=Attempt.State.UNKNOWN, created_at__lt=at - UNKNOWN
    ).count()
    if stuck:
        yield Finding(
            Level.BROKEN,
            _("%(count)d payments have been of unknown outcome for more than a week.") % {"count": stuck},
            _("Ask the provider, and close them with proof: Payments, filter “unknown”."),
        )


_HOLES = """
SELECT {kind}, year, max(sequence), count(*) FROM {table}
WHERE company_id = %s AND sequence IS NOT NULL GROUP BY year HAVING max(sequence) <> count(*) ORDER BY year
"""


@examination("numbers", gettext_lazy("Document numbers"), slow=True)
def numbers(at: datetime) -> Iterable[Finding]:
    """No number is missing or used twice."""
    for company in Company.objects.order_by("pk"):
        for kind, table in (("'INV'", "billing_invoice"), ("'CN'", "billing_creditnote")):
            with connection.cursor() as cursor:
                cursor.execute(_HOLES.format(kind=kind, table=table), [company.pk])
                for series, year, last, count in cursor.fetchall():
                    yield Finding(
                        Level.BROKEN,
                        _("%(company)s: %(series)s %(year)s ends with %(last)s, but there are %(count)s.")
                        % {"company": company.slug, "series": series, "year": year, "last": last, "count": count},
                        _("Documents were taken out past Turnus: compare with the last backup."),
                    )


@examination("chain", gettext_lazy("Chain of issued documents"), slow=True)
def chain(at: datetime) -> Iterable[Finding]:
    """No issued document was edited, taken out or swapped."""
    for company in Company.objects.order_by("pk"):
        for problem in verify_chain(company):
            yield Finding(
                Level.BROKEN,
                f"{company.slug}: {problem.code}: {problem.subject} {problem.detail}".strip(),
                _("Compare with the last backup and find out who wrote to the database."),
            )


@examination("books", gettext_lazy("Books"), slow=True)
def books(at: datetime) -> Iterable[Finding]:
    """Postings balance, and receivables are what is owed."""
    for company in Company.objects.order_by("pk"):
        for one in ledger_check.check(company):
            if not one.is_right:
                yield Finding(
                    Level.BROKEN,
                    _("%(company)s, %(currency)s: postings sum to %(sum)s, booked %(booked)s, owed %(owed)s.")
                    % {
                        "company": company.slug,
                        "currency": one.currency,
                        "sum": one.sum_minor,
                        "booked": one.booked_minor,
                        "owed": one.owed_minor,
                    },
                    _("The journal's own check names the documents."),
                )


@examination("payment_sums", gettext_lazy("Sums of payments"), slow=True)
def payment_sums(at: datetime) -> Iterable[Finding]:
    """The sums of payments are those of the payments."""
    for slug, count in payment_days.differing():
        yield Finding(
            Level.BROKEN,
            _("%(company)s: the sums of payments differ from the payments on %(count)s days.")
            % {"company": slug, "count": count},
            _("manage.py sum_payments adds them up anew."),
        )


@examination("days", gettext_lazy("Billed days"), slow=True)
def days(at: datetime) -> Iterable[Finding]:
    """No day of a subscription is forgotten or counted twice."""
    for company in Company.objects.order_by("pk"):
        for problem in tiling.check(company)[:50]:
            yield Finding(
                Level.BROKEN,
                f"{company.slug}: {problem.code}: slot {problem.slot_id}, {problem.start} – {problem.end}",
                _("Bill the days by hand or forfeit them; then find out how it came about."),
            )
