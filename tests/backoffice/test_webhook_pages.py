"""Webhooks and the outbox at the office."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from backoffice.forms.settings import EFFECTS
from core.models import Outbox, WebhookDelivery, WebhookEndpoint, WebhookTry
from core.services import outbox, webhook_addresses
from tests.backoffice.conftest import Office

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def public_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_addresses, "look_up", lambda host, port: ["93.184.215.14"])


def made(office: Office, client: Any, **more: Any) -> WebhookEndpoint:
    sent = {"url": "https://erp.example.com/in", "groups": ["invoice.*"], "single": "payment.recorded", **more}
    assert client.post(reverse("backoffice:webhook-create"), sent).status_code == 200
    return WebhookEndpoint.objects.latest("pk")


def test_an_endpoint_is_made_and_its_secret_shown_this_once(office: Office) -> None:
    client = office.client()
    sent = {
        "url": "https://erp.example.com/in",
        "groups": ["invoice.*"],
        "single": "payment.recorded\npayment.returned",
    }
    answer = client.post(reverse("backoffice:webhook-create"), sent).content.decode()
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.types == ["invoice.*", "payment.recorded", "payment.returned"]
    assert endpoint.secret in answer
    page = client.get(reverse("backoffice:webhook", args=[endpoint.ref])).content.decode()
    assert endpoint.secret not in page
    assert "https://erp.example.com/in" in page


def test_a_refusal_stands_beside_its_field(office: Office) -> None:
    client = office.client()
    answer = client.post(reverse("backoffice:webhook-create"), {"url": "https://x.example", "single": "no.such"})
    assert answer.status_code == 422
    assert "There are no events named no.such." in answer.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_it_is_edited_rotated_switched_off_and_on(office: Office) -> None:
    client = office.client()
    endpoint = made(office, client)
    form = client.get(reverse("backoffice:webhook-edit", args=[endpoint.ref])).content.decode()
    assert "payment.recorded" in form
    sent = {"url": endpoint.url, "groups": ["*"], "description": "ERP"}
    client.post(reverse("backoffice:webhook-edit", args=[endpoint.ref]), sent)
    before = endpoint.secret
    endpoint.refresh_from_db()
    assert (endpoint.types, endpoint.description) == (["*"], "ERP")
    client.post(reverse("backoffice:webhook-rotate", args=[endpoint.ref]), {"overlap_hours": "0"})
    endpoint.refresh_from_db()
    assert endpoint.secret != before
    for active in (False, True):
        client.post(reverse("backoffice:webhook-switch", args=[endpoint.ref]))
        endpoint.refresh_from_db()
        assert endpoint.is_active is active


def test_a_delivery_shows_request_and_answer_and_is_sent_again(office: Office) -> None:
    client = office.client()
    endpoint = made(office, client)
    client.post(reverse("backoffice:webhook-test", args=[endpoint.ref]))
    delivery = WebhookDelivery.objects.get()
    WebhookTry.objects.create(
        company=office.company, delivery=delivery, at=office.at, url=endpoint.url, status=500, answer="<b>broken</b>",
        headers={"webhook-id": delivery.event.ref}, milliseconds=12, error="HTTP 500",
    )  # fmt: skip
    WebhookDelivery.objects.update(state="dead", closed_at=office.at)
    page = client.get(reverse("backoffice:webhook-delivery", args=[delivery.ref])).content.decode()
    assert "&lt;b&gt;broken&lt;/b&gt;" in page
    assert "webhook_endpoint.tested" in page
    client.post(reverse("backoffice:webhook-delivery-resend", args=[delivery.ref]))
    delivery.refresh_from_db()
    assert delivery.state == "waiting"


def test_all_that_failed_since_then_is_sent_again(office: Office) -> None:
    client = office.client()
    endpoint = made(office, client)
    client.post(reverse("backoffice:webhook-test", args=[endpoint.ref]))
    client.post(reverse("backoffice:webhook-switch", args=[endpoint.ref]))
    client.post(reverse("backoffice:webhook-switch", args=[endpoint.ref]))
    assert WebhookDelivery.objects.get().state == "dead"
    since = office.at.replace(tzinfo=None).isoformat()[:16]
    client.post(reverse("backoffice:webhook-resend", args=[endpoint.ref]), {"since": since})
    assert WebhookDelivery.objects.get().state == "waiting"


def test_every_kind_of_effect_has_words() -> None:
    ours = {kind for kind, done in outbox._handlers.items() if not done.__module__.startswith("tests.")}
    assert ours == set(EFFECTS)


def test_the_outbox_shows_how_it_stands_and_tries_again_or_gives_up(office: Office) -> None:
    client = office.client()
    Outbox.objects.filter(company=office.company).delete()
    for key in "abc":
        outbox.put(company_id=office.company.pk, kind="mail", key=key, payload={"message": 0})
    Outbox.objects.filter(key__in="ab").update(state="dead", attempts=9, last_error="SMTPError: no")
    page = client.get(reverse("backoffice:outbox")).content.decode()
    assert page.count("SMTPError: no") == 2
    rows = {row.key: row for row in Outbox.objects.all()}
    client.post(reverse("backoffice:outbox-cancel"), {"row": [rows["a"].pk]})
    client.post(reverse("backoffice:outbox-replay-all"), {"kind": "mail"})
    assert dict(Outbox.objects.values_list("key", "state")) == {"a": "canceled", "b": "waiting", "c": "waiting"}
    assert (
        client.get(reverse("backoffice:outbox") + "?state=canceled&kind=mail").content.decode().count("data-row") == 1
    )
    client.post(reverse("backoffice:outbox-replay"), {"row": [rows["a"].pk]})
    assert Outbox.objects.get(key="a").state == "waiting"
