"""Ties in the office: made by a form, tried, previewed, run, switched, sent again, archived."""

from __future__ import annotations

from typing import Any

import pytest

from tests.crm.tying import running, subscribed


@pytest.fixture
def there(tmp_path: Any, settings: Any) -> Any:
    with running(tmp_path) as found:
        settings.TIE_ADDRESSES = found.addresses
        yield found


def test_a_tie_is_made_tried_previewed_and_run(office: Any, there: Any) -> None:
    from django.urls import reverse

    from core.models import Job
    from core.services import jobs
    from crm.models import Tie

    (customer,) = subscribed(office.company)
    client = office.client()
    given = {"name": "News", "secret": "xkeysib-of-the-tests", "audience": "7"}
    form = client.get(reverse("backoffice:tie-create") + "?kind=brevo").content.decode()
    assert all(f'name="{name}"' in form for name in ("name", "secret", "audience", "segment", "marks"))
    page = client.post(reverse("backoffice:tie-create") + "?kind=brevo", given, follow=True)
    tie = Tie.objects.get(company=office.company)
    assert page.status_code == 200 and "xkeysib" not in page.content.decode()
    page = client.post(reverse("backoffice:tie-test", args=[tie.ref]), follow=True)
    assert "It works: Nordlicht · Customers." in page.content.decode()
    page = client.get(reverse("backoffice:tie-preview", args=[tie.ref]))
    assert page.context["total"] == 1 and "may get advertising" in page.content.decode()
    client.post(reverse("backoffice:tie-run", args=[tie.ref]))
    jobs.work(Job.objects.get(company=office.company, kind="run_tie").pk)
    assert set(there.contacts("brevo")) == {customer.email}
    assert customer.email in client.get(reverse("backoffice:tie", args=[tie.ref])).content.decode()


def test_a_wrong_key_is_said_on_the_page_and_kept_where_the_field_stays_empty(office: Any, there: Any) -> None:
    from django.urls import reverse

    from crm.models import Tie

    client = office.client()
    given = {"name": "News", "secret": "old", "audience": "7"}
    client.post(reverse("backoffice:tie-create") + "?kind=brevo", given)
    tie = Tie.objects.get(company=office.company)
    page = client.post(reverse("backoffice:tie-test", args=[tie.ref]), follow=True)
    assert "take the key: Key not found" in page.content.decode()
    client.post(reverse("backoffice:tie-edit", args=[tie.ref]), {"name": "Letter", "secret": "", "audience": "7"})
    tie.refresh_from_db()
    assert (tie.name, tie.secret) == ("Letter", "old")


def test_a_tie_of_another_company_is_not_found(office: Any) -> None:
    from django.urls import reverse

    from tests.crm.tying import a_company, a_tie

    other = a_tie(a_company())
    for name in ("tie", "tie-edit", "tie-preview"):
        assert office.client().get(reverse(f"backoffice:{name}", args=[other.ref])).status_code == 404
