"""Who may leave: the list with its reasons, and the score on the customer's page."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from subscriptions.models import Subscription
from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.test_lists import MOST_QUERIES, read_csv


def test_who_may_leave_is_listed_with_the_reasons(office: Office) -> None:
    subscription = office.start()
    Subscription.objects.filter(pk=subscription.pk).update(end_kind="cancel", ends_on=TODAY + timedelta(days=9))
    client, url = office.client("sales"), reverse("backoffice:customers-at-risk")
    client.get(url)
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(url)
    assert len(asked) <= MOST_QUERIES
    (row,) = answer.context["list"].rows
    assert (row.name, row.health) == ("Ærø Windkraft", 55)
    assert "a cancellation is asked; a customer for less than 90 days" in " ".join(answer.content.decode().split())
    assert read_csv(client.get(f"{url}?format=csv"))[1][2:] == ["55", "leaving; young"]


def test_a_customers_page_tells_how_they_stand(office: Office) -> None:
    page = reverse("backoffice:customer", args=[office.customer.ref])
    assert "How they stand" not in office.client().get(page).content.decode()
    office.start()
    assert office.client().get(page).context["health"].score == 95
