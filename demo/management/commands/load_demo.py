"""`manage.py load_demo`: the test company with two years of history, up to now; on later starts only what is new."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand

from billing.models import Invoice
from core import clock
from core.models import Company
from customers.models import Customer
from demo import cashless, history, logins


class Command(BaseCommand):
    help = "Loads the test company, or moves its clock on to now."

    def handle(self, *args: Any, **options: Any) -> None:
        begun = time.monotonic()
        shown = [""]

        def told(company: Company) -> None:
            assert company.clock_at is not None
            quarter = f"{company.clock_at:%Y} Q{(company.clock_at.month + 2) // 3}"
            if quarter != shown[0]:
                shown[0] = quarter
                self.stdout.write(f"  {quarter}", ending=" ")
                self.stdout.flush()

        company = history.load(clock.machine_now(), told)
        logins.write(company)
        cashless.listen(company)
        count = Customer.objects.filter(company=company).count()
        invoices = Invoice.objects.filter(company=company).count()
        seconds = time.monotonic() - begun
        self.stdout.write(f"\n  {company.legal_name}: {count} customers, {invoices} invoices, in {seconds:.0f} s")
