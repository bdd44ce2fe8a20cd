"""Random histories: what movements, reports and closed months tell is what an auditor reckons from the agreements."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from core.services.company import update_company
from reporting import audit, closed_months
from tests.factories import BY
from tests.reporting.money_life import lives
from tests.stories.business import Business


class RevenueLife(Business):
    """The same life in a company whose books are closed now and then."""

    @rule(back=st.integers(0, 40))
    def close_books(self, back: int) -> None:
        day = self.today - timedelta(days=back)
        self.company.refresh_from_db(fields=["books_closed_on"])
        closed = self.company.books_closed_on
        if day >= self.company.books_start_on and (closed is None or day > closed) and day < self.today:
            update_company(company=self.company, changes={"books_closed_on": day}, by=BY, at=self.at)

    @rule(who=st.integers(0, 2), country=st.sampled_from(["DE", "FR", "AT"]))
    def move_house(self, who: int, country: str) -> None:
        from customers.services.customers import set_address

        address = {"lines": ["Way 1"], "postal_code": "10115", "city": "Town", "country": country}
        self.attempt(set_address, customer=self.customers[who], address=address)

    def teardown(self) -> None:
        self.company.refresh_from_db()
        closed_months.closed_months_tick(self.company, self.at)
        found = [str(one) for one in audit.differences(self.company, self.today)]
        try:
            assert found == []
        finally:
            super().teardown()


@pytest.mark.django_db
def test_random_histories_are_told_as_they_are_reckoned() -> None:
    lives(RevenueLife, examples=4, steps=15)
