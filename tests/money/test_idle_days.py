"""What a day costs on which nothing is due: a fixed number of small statements, however many customers there are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import TODAY, a_company, a_customer
from tests.money.dunning import pay, set_day
from tests.money.providers import a_card, a_gateway, billed

pytestmark = pytest.mark.django_db

#: Ticks that ask more than one question: runs that are unfinished, then what is due; cases, what is late, who is
#: suspended; one question for each log, two for the timetable's own; when laws were kept, terms that renew, notices
#: that may have reached nobody; rules and what they find; one question for each alert.
MORE = {
    "billing.run": 2, "billing.dunning": 3, "core.upkeep": 11,
    "crm.renewal_law": 3, "crm.reminders": 4, "crm.alerts": 17, "crm.watch": 6,
}  # fmt: skip
#: Ticks that ask none: they have nothing to do with a company of this kind, or with an installation without a bucket.
NONE = {"customers.vat_ids", "demo.payments", "core.files"}


@pytest.mark.parametrize("customers", [1, 12])
def test_a_day_on_which_nothing_is_due_costs_one_statement_a_tick(customers):
    from core.services import ticks

    company = a_company(payment_terms_days=0)
    for _ in range(customers):
        pay(billed(company, a_customer(company)), TODAY)
    before = set_day(company, TODAY + timedelta(days=4))
    for tick in ticks.all_ticks():  # what is made on first use is there from now on
        ticks.run_tick(name=tick.name, company=company, at=before, notes_quiet=False)
    at = set_day(company, TODAY + timedelta(days=5))
    seen: dict[str, list[str]] = {}
    for tick in ticks.all_ticks():
        with CaptureQueriesContext(connection) as asked:
            outcome = ticks.run_tick(name=tick.name, company=company, at=at, notes_quiet=False)
        assert not any(outcome.values()), tick.name
        seen[tick.name] = [query["sql"] for query in asked.captured_queries if "SAVEPOINT" not in query["sql"]]
    wanted = {name: MORE.get(name, 0 if name in NONE else 1) for name in seen}
    assert {name: len(asked) for name, asked in seen.items()} == wanted, {
        name: asked for name, asked in seen.items() if len(asked) != wanted[name]
    }


def test_what_providers_said_before_is_looked_for_in_one_statement(providers):
    from billing.services import incoming

    company = a_company()
    gateway = a_gateway(company, providers)
    for _ in range(3):
        a_card(a_customer(company), gateway)
    first = incoming.messages_tick(company, set_day(company, TODAY))
    assert first["fetched"] >= 6
    at = set_day(company, TODAY)
    with CaptureQueriesContext(connection) as asked:
        assert incoming.messages_tick(company, at) == {"fetched": 0, "failed": 0}
    # Its gateways, its known messages, when it was asked.
    assert len(asked) == 3, [query["sql"] for query in asked.captured_queries]
