"""An endpoint whose secret no key opens stops nobody: it fails visibly, others are served, a new secret mends it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any

import pytest

from core import clock
from core.models import Company, WebhookDelivery, WebhookEndpoint
from core.refusal import Refused
from core.sealing import CannotOpen
from core.services import doctoring, webhook_addresses, webhook_endpoints, webhook_requests, webhook_sending
from core.services.webhook_sending import UNSIGNED, Sent, send_due
from tests.core.hooking import Sink, a_sink, an_endpoint, happens, hooked
from tests.factories import BY


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with a_sink() as sink:
        yield sink


@pytest.fixture
def company(db: None, settings: Any) -> Company:
    settings.WEBHOOKS_TO_LOOPBACK = True
    return hooked()


@pytest.fixture
def lost(company: Company, sink: Sink, settings: Any) -> WebhookEndpoint:
    """An endpoint whose secret was sealed with a key that is gone."""
    settings.KEY_RING = ["gone"]
    endpoint = an_endpoint(company, f"{sink.url}/ok/lost", "company.*")
    settings.KEY_RING = ["kept"]
    return endpoint


def test_a_secret_that_no_key_opens_fails_its_own_deliveries_alone(
    company: Company, sink: Sink, lost: WebhookEndpoint
) -> None:
    fine = an_endpoint(company, f"{sink.url}/ok/fine", "company.*")
    WebhookDelivery.objects.all().delete()
    happens(company)
    assert send_due(worker="w") == Sent(delivered=1, failed=1)
    states = dict(WebhookDelivery.objects.values_list("endpoint", "state"))
    assert states == {lost.pk: "waiting", fine.pk: "delivered"}
    row = WebhookDelivery.objects.get(endpoint=lost)
    assert (row.last_error, row.log.get().error, row.log.get().headers) == (UNSIGNED, UNSIGNED, {})
    assert WebhookEndpoint.objects.get(pk=lost.pk).failures == 1


def test_its_row_is_listed_changed_and_stopped_like_any_other(company: Company, lost: WebhookEndpoint) -> None:
    [row] = WebhookEndpoint.objects.filter(company=company)
    assert row.url == lost.url
    with pytest.raises(CannotOpen):
        _ = row.secret
    webhook_endpoints.update(endpoint=row, description="of old", by=BY, at=clock.now(company))
    webhook_endpoints.disable(endpoint=row, by=BY, at=clock.now(company))
    assert webhook_sending.sweep() == 0
    assert WebhookEndpoint.objects.values_list("description", "is_active").get() == ("of old", False)


def test_a_new_secret_mends_it_and_the_lost_one_signs_nothing(
    company: Company, sink: Sink, lost: WebhookEndpoint
) -> None:
    endpoint, secret = webhook_endpoints.rotate(endpoint=lost, by=BY, at=clock.now(company))
    WebhookDelivery.objects.all().delete()
    assert (endpoint.previous_secret, endpoint.previous_until) == ("", None)
    assert WebhookEndpoint.objects.get(pk=lost.pk).secret == secret
    happens(company)
    assert send_due(worker="w") == Sent(delivered=1)


def test_the_key_put_back_opens_what_was_kept_untouched(company: Company, lost: WebhookEndpoint, settings: Any) -> None:
    row = WebhookEndpoint.objects.get(pk=lost.pk)
    row.description = "saved whole, without its secret being opened"
    row.save(update_fields=["description"])
    settings.KEY_RING = ["kept", "gone"]
    assert WebhookEndpoint.objects.get(pk=lost.pk).secret == lost.secret


def test_the_doctor_names_what_no_key_opens(company: Company, sink: Sink, lost: WebhookEndpoint, settings: Any) -> None:
    an_endpoint(company, f"{sink.url}/ok/fine")

    def seen() -> list[tuple[str, str]]:
        [(_one, findings)] = doctoring.examine(clock.machine_now(), names=["seals"])
        return [(str(finding.level), finding.text) for finding in findings]

    [(level, text)] = seen()
    assert (level, text) == (
        "broken", "1 of webhook endpoints (secret) can't be opened with the keys there are."
    )  # fmt: skip
    settings.KEY_RING = ["kept", "gone"]
    assert seen() == [("fine", "")]


def test_a_name_that_is_not_found_in_time_is_given_up(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver tries for a minute and more by itself; a try is over long before its lease is."""
    monkeypatch.setattr(webhook_addresses, "LOOK_UP_SECONDS", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: sleep(15) or [])
    begun = monotonic()
    with pytest.raises(Refused, match="url_unknown"):
        webhook_addresses.checked("http://slow.example/in", company=company)
    told = webhook_requests.send(
        url="http://slow.example/in", company=company, message_id="evt_1", body=b"{}", secrets=[], at=clock.now(company)
    )
    assert monotonic() - begun < 15
    assert (told.status, told.error) == (None, "webhook.url_unknown: slow.example")


def test_looking_a_name_up_and_talking_end_before_the_lease_does() -> None:
    most = webhook_addresses.LOOK_UP_SECONDS + webhook_requests.SECONDS
    assert most * 2 < webhook_sending.LEASE.total_seconds()
