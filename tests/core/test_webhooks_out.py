"""Events on their way out: written with their cause, signed, sent until they arrive or are visibly dead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest
from django.db import connection, transaction
from standardwebhooks import Webhook, WebhookVerificationError

from core import clock
from core.ids import new_id
from core.models import Company, Event, WebhookDelivery, WebhookEndpoint, WebhookTry
from core.refusal import Refused
from core.services import event_types, trail, webhook_endpoints, webhook_resending, webhook_sending
from core.services.webhook_sending import BACK_OFF, Sent, send_due
from tests.core.hooking import Sink, a_sink, an_endpoint, happens, hooked
from tests.factories import BY


@pytest.fixture(scope="module")
def running_sink() -> Iterator[Sink]:
    with a_sink() as sink:
        yield sink


@pytest.fixture
def sink(running_sink: Sink) -> Sink:
    running_sink._ask("DELETE", "/_seen")
    running_sink.behave("ok")
    return running_sink


@pytest.fixture
def company(db: None, settings: Any) -> Company:
    settings.WEBHOOKS_TO_LOOPBACK = True
    return hooked()


class Time:
    """The machine's clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shift = timedelta()
        real = clock.machine_now
        monkeypatch.setattr(clock, "machine_now", lambda: real() + self.shift)

    def to(self, instant: datetime) -> None:
        self.shift += max(timedelta(), instant - clock.machine_now()) + timedelta(milliseconds=1)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


# Written with the cause -----------------------------------------------------------------------------------------------


def test_an_event_is_owed_to_the_endpoints_that_want_to_hear_of_it(company: Company, sink: Sink) -> None:
    everything = an_endpoint(company, f"{sink.url}/ok")
    noun = an_endpoint(company, f"{sink.url}/ok", "company.*")
    one = an_endpoint(company, f"{sink.url}/ok", "company.updated", "webhook_endpoint.created")
    other = an_endpoint(company, f"{sink.url}/ok", "company.opened", "webhook_endpoint.*")
    WebhookDelivery.objects.all().delete()
    event = happens(company)
    assert set(WebhookDelivery.objects.values_list("endpoint", "event", "state")) == {
        (endpoint.pk, event.pk, "waiting") for endpoint in (everything, noun, one)
    }
    assert other.pk not in WebhookDelivery.objects.values_list("endpoint", flat=True)


def test_the_database_writes_it_whatever_code_writes_the_event(company: Company, sink: Sink) -> None:
    an_endpoint(company, f"{sink.url}/ok")
    at = clock.now(company)
    common = {"company_id": company.pk, "subject_kind": "company", "subject_id": company.pk, "data": {}}
    Event.objects.bulk_create([trail.event(type="company.updated", at=at, **common) for _ in range(3)])
    with connection.cursor() as cursor:
        columns = "company_id, public_id, type, occurred_at, subject_kind, subject_id, data"
        with cursor.copy(f"COPY core_event ({columns}) FROM STDIN") as copy:
            for _ in range(4):
                copy.write_row((company.pk, str(new_id()), "company.updated", at, "company", company.pk, "{}"))
    assert WebhookDelivery.objects.count() == 7
    assert len(set(WebhookDelivery.objects.values_list("public_id", flat=True))) == 7


def test_a_delivery_vanishes_with_its_cause(company: Company, sink: Sink) -> None:
    an_endpoint(company, f"{sink.url}/ok")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        happens(company)
        assert WebhookDelivery.objects.count() == 1
        raise ZeroDivisionError
    assert not WebhookDelivery.objects.exists()


def test_another_companys_events_are_not_heard(company: Company, sink: Sink) -> None:
    an_endpoint(company, f"{sink.url}/ok")
    happens(hooked("other"))
    assert not WebhookDelivery.objects.exists()


def test_a_stopped_endpoint_hears_nothing(company: Company, sink: Sink) -> None:
    endpoint = an_endpoint(company, f"{sink.url}/ok")
    webhook_endpoints.disable(endpoint=endpoint, by=BY, at=clock.now(company))
    happens(company)
    assert not WebhookDelivery.objects.exists()


# What is sent ---------------------------------------------------------------------------------------------------------


def test_the_stored_event_is_sent_signed_under_its_own_id(company: Company, sink: Sink) -> None:
    endpoint = an_endpoint(company, f"{sink.url}/ok?key=1")
    at = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
    event = happens(company, at=at, id="inv_x", gross_minor=11900, name="Müller")
    assert send_due(worker="w") == Sent(delivered=1)
    (came,) = sink.seen
    assert came["path"] == "/ok?key=1"
    assert came["headers"]["webhook-id"] == event.ref
    assert came["headers"]["content-type"] == "application/json"
    assert came["headers"]["host"] == sink.url.removeprefix("http://")
    told = Webhook(endpoint.secret).verify(came["body"], came["headers"])
    assert told == {
        "type": "company.updated",
        "timestamp": "2026-03-01T12:00:30Z",
        "data": {"id": "inv_x", "gross_minor": 11900, "name": "Müller"},
    }
    row = WebhookDelivery.objects.get()
    assert (row.state, row.tries, row.last_status, row.lease_until) == ("delivered", 1, 200, None)
    tried = WebhookTry.objects.get()
    assert (tried.status, tried.answer, tried.error, tried.address) == (200, "thanks\n", "", "127.0.0.1")
    assert endpoint.secret not in json.dumps(tried.headers) + tried.url


def test_a_tampered_body_and_another_secret_are_not_verified(company: Company, sink: Sink) -> None:
    endpoint = an_endpoint(company, f"{sink.url}/ok")
    happens(company, amount=1)
    send_due(worker="w")
    (came,) = sink.seen
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(came["body"].replace("1", "2", 1), came["headers"])
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook_endpoints.fresh_secret()).verify(came["body"], came["headers"])


def test_after_a_rotation_both_secrets_verify_until_the_old_one_ends(company: Company, sink: Sink, time: Time) -> None:
    endpoint = an_endpoint(company, f"{sink.url}/ok")
    old = endpoint.secret
    endpoint, new = webhook_endpoints.rotate(endpoint=endpoint, overlap_hours=2, by=BY, at=clock.now(company))
    WebhookDelivery.objects.all().delete()
    happens(company)
    send_due(worker="w")
    (came,) = sink.seen
    assert new != old
    assert Webhook(old).verify(came["body"], came["headers"]) == Webhook(new).verify(came["body"], came["headers"])
    time.shift += timedelta(hours=2, seconds=1)
    assert webhook_endpoints.signing_secrets(endpoint, clock.machine_now()) == [new]


def test_a_rotation_without_overlap_forgets_the_old_secret(company: Company, sink: Sink) -> None:
    endpoint = an_endpoint(company, f"{sink.url}/ok")
    endpoint, new = webhook_endpoints.rotate(endpoint=endpoint, overlap_hours=0, by=BY, at=clock.now(company))
    assert (endpoint.previous_secret, endpoint.previous_until, endpoint.secret) == ("", None, new)


def test_secrets_stand_sealed(company: Company, sink: Sink) -> None:
    endpoint = an_endpoint(company, f"{sink.url}/ok")
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM core_webhookendpoint WHERE id = %s", [endpoint.pk])
        (kept,) = cursor.fetchone()
    assert kept.startswith("s1:")
    assert endpoint.secret not in kept


def test_a_test_event_goes_to_the_tested_endpoint_alone(company: Company, sink: Sink) -> None:
    tested = an_endpoint(company, f"{sink.url}/ok/tested", "company.opened")
    an_endpoint(company, f"{sink.url}/ok/other")
    WebhookDelivery.objects.all().delete()
    webhook_endpoints.test(endpoint=tested, by=BY, at=clock.now(company))
    assert send_due(worker="w") == Sent(delivered=1)
    (came,) = sink.seen
    assert (came["path"], json.loads(came["body"])["type"]) == ("/ok/tested", "webhook_endpoint.tested")


# Failing --------------------------------------------------------------------------------------------------------------


def test_a_failure_is_tried_again_under_the_same_id(company: Company, sink: Sink, time: Time) -> None:
    an_endpoint(company, f"{sink.url}/flaky/2")
    event = happens(company)
    assert send_due(worker="w") == Sent(failed=1)
    assert send_due(worker="w") == Sent()
    for wanted in (Sent(failed=1), Sent(delivered=1)):
        due = WebhookDelivery.objects.get().due_at
        assert due is not None
        time.to(due)
        assert send_due(worker="w") == wanted
    assert sink.ids() == [event.ref] * 3
    assert [came["body"] for came in sink.seen] == [sink.seen[0]["body"]] * 3
    assert list(WebhookTry.objects.order_by("pk").values_list("status", flat=True)) == [503, 503, 200]
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.failures, endpoint.failing_since, endpoint.paused_until) == (0, None, None)


def test_tries_go_on_for_72_hours_and_then_the_endpoint_is_stopped_and_all_is_visibly_dead(
    company: Company, sink: Sink, time: Time
) -> None:
    an_endpoint(company, f"{sink.url}/status/500", "company.*")
    witness = an_endpoint(company, f"{sink.url}/ok", "webhook_endpoint.disabled")
    WebhookDelivery.objects.all().delete()
    event = happens(company)
    begun = clock.machine_now()
    instants = []
    while (row := WebhookDelivery.objects.get(event=event)).state == "waiting":
        endpoint = WebhookEndpoint.objects.get(pk=row.endpoint_id)
        time.to(max(moment for moment in (row.due_at, endpoint.paused_until, clock.machine_now()) if moment))
        instants.append(clock.machine_now() - begun)
        send_due(worker="w")
    assert len(instants) == len(BACK_OFF) + 1 == WebhookTry.objects.filter(delivery=row).count()
    assert timedelta(hours=72) <= instants[-1] <= timedelta(hours=80)
    for number, base in enumerate(BACK_OFF):
        assert base <= instants[number + 1] - instants[number] <= base * 1.1 + timedelta(minutes=1)
    endpoint.refresh_from_db()
    assert (row.state, endpoint.is_active, endpoint.stopped) == ("dead", False, "failing")
    disabled = Event.objects.get(type="webhook_endpoint.disabled")
    assert disabled.data["reason"] == "failing"
    assert WebhookDelivery.objects.get(event=disabled).endpoint_id == witness.pk


def test_back_off_is_72_hours_with_jitter_that_two_machines_agree_on(company: Company, sink: Sink) -> None:
    assert sum(BACK_OFF, timedelta()) == timedelta(hours=72)
    an_endpoint(company, f"{sink.url}/ok")
    for _ in range(20):
        happens(company)
    rows = list(WebhookDelivery.objects.all())
    waits = [webhook_sending.wait_after(row, 3) for row in rows]
    assert waits == [webhook_sending.wait_after(row, 3) for row in rows]
    assert len(set(waits)) == 20
    assert min(waits) >= BACK_OFF[2]
    assert max(waits) <= BACK_OFF[2] * 1.1


def test_410_stops_the_endpoint_at_once(company: Company, sink: Sink) -> None:
    endpoint = an_endpoint(company, f"{sink.url}/gone")
    happens(company)
    send_due(worker="w")
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.stopped) == (False, "gone")
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"dead"}
    assert Event.objects.filter(type="webhook_endpoint.disabled").count() == 1
    happens(company)
    assert send_due(worker="w") == Sent()


def test_a_server_that_asks_for_patience_gets_it(company: Company, sink: Sink) -> None:
    an_endpoint(company, f"{sink.url}/later/3600")
    happens(company)
    send_due(worker="w")
    due = WebhookDelivery.objects.get().due_at
    assert due is not None
    assert timedelta(minutes=59) < due - clock.machine_now() <= timedelta(hours=1)


def test_redirects_are_not_followed(company: Company, sink: Sink) -> None:
    an_endpoint(company, f"{sink.url}/redirect")
    happens(company)
    assert send_due(worker="w") == Sent(failed=1)
    assert [came["path"] for came in sink.seen] == ["/redirect"]
    assert WebhookTry.objects.get().error == "HTTP 302"


def test_a_failing_endpoint_is_paused_and_then_tried_one_at_a_time(company: Company, sink: Sink, time: Time) -> None:
    an_endpoint(company, f"{sink.url}/status/500")
    for _ in range(40):
        happens(company)
    send_due(worker="w")
    endpoint = WebhookEndpoint.objects.get()
    # Four were under way when it was noticed; then it is left in peace.
    assert endpoint.failures == len(sink.seen) < 8
    assert endpoint.paused_until is not None
    before = len(sink.seen)
    time.to(endpoint.paused_until)
    send_due(worker="w")
    assert len(sink.seen) == before + 1


def test_a_slow_endpoint_holds_up_no_other(company: Company, sink: Sink) -> None:
    an_endpoint(company, f"{sink.url}/slow/2", "company.*")
    an_endpoint(company, f"{sink.url}/ok", "company.*")
    WebhookDelivery.objects.all().delete()
    for _ in range(30):
        happens(company)
    sender = webhook_sending.Sender(worker="w", threads=8)
    begun = monotonic()
    while WebhookDelivery.objects.filter(endpoint__url__endswith="/ok", state="waiting").exists():
        sender.step(seconds=0.2)
    taken = monotonic() - begun
    slow = [came for came in sink.seen if came["path"].startswith("/slow")]
    assert len(sink.ids("/ok")) == 30
    assert len(slow) <= 4 + 4 * int(taken / 2 + 1)
    while sender.is_busy:
        sender.step(seconds=1, takes_more=False)
    sender.close()


# Sending again --------------------------------------------------------------------------------------------------------


def test_what_failed_can_be_sent_again_one_and_all(company: Company, sink: Sink, time: Time) -> None:
    endpoint = an_endpoint(company, f"{sink.url}/gone")
    events = [happens(company, n=n) for n in range(3)]
    send_due(worker="w")
    at = clock.now(company)
    row = WebhookDelivery.objects.get(event=events[0])
    with pytest.raises(Refused, match="switched off"):
        webhook_resending.resend(delivery=row, by=BY, at=at)
    sink.behave("ok")
    webhook_endpoints.update(endpoint=endpoint, url=f"{sink.url}/in", by=BY, at=at)
    webhook_endpoints.enable(endpoint=endpoint, by=BY, at=at)
    WebhookDelivery.objects.exclude(event__in=events).delete()
    webhook_resending.resend(delivery=row, by=BY, at=at)
    assert send_due(worker="w") == Sent(delivered=1)
    since = clock.machine_now() - timedelta(hours=1)
    assert webhook_resending.resend_since(endpoint=endpoint, since=since, by=BY, at=at) == 2
    assert send_due(worker="w") == Sent(delivered=2)
    assert set(sink.ids("/in")) == {event.ref for event in events}


def test_events_missed_while_it_was_stopped_can_be_sent_later(company: Company, sink: Sink) -> None:
    endpoint = an_endpoint(company, f"{sink.url}/ok", "company.*")
    at = clock.now(company)
    webhook_endpoints.disable(endpoint=endpoint, by=BY, at=at)
    missed = happens(company)
    webhook_endpoints.enable(endpoint=endpoint, by=BY, at=at)
    since = at - timedelta(minutes=1)
    for found in (1, 0):
        count = webhook_resending.resend_since(endpoint=endpoint, since=since, with_missed=True, by=BY, at=at)
        assert count == found
    send_due(worker="w")
    assert sink.ids() == [missed.ref]


def test_health_says_how_much_waits_how_long_and_what_is_dead(company: Company, sink: Sink, time: Time) -> None:
    endpoint = an_endpoint(company, f"{sink.url}/ok")
    happens(company)
    happens(company)
    WebhookDelivery.objects.filter(pk=WebhookDelivery.objects.earliest("pk").pk).update(state="dead")
    time.shift += timedelta(minutes=5)
    (health,) = webhook_resending.health(company_id=company.pk).values()
    assert (health.waiting, health.dead) == (1, 1)
    assert 300 <= health.late_seconds < 330
    assert webhook_resending.health(company_id=hooked("other").pk) == {}
    assert endpoint.is_active


# Endpoints ------------------------------------------------------------------------------------------------------------


def test_what_an_endpoint_hears_is_checked(company: Company, sink: Sink) -> None:
    with pytest.raises(Refused) as refused:
        an_endpoint(company, f"{sink.url}/ok", "invoice.imagined")
    assert refused.value.code == "webhook.type_unknown"
    with pytest.raises(Refused) as refused:
        an_endpoint(company, f"{sink.url}/ok", " ")
    assert refused.value.code == "webhook.no_types"
    endpoint = an_endpoint(company, f"{sink.url}/ok", "company.*", " company.opened", "company.*")
    assert endpoint.types == ["company.*", "company.opened"]


def test_an_event_of_an_unregistered_type_cant_be_written(company: Company) -> None:
    with pytest.raises(LookupError):
        happens(company, "company.imagined")
    with pytest.raises(LookupError):
        trail.event(at=clock.now(company), type="company.imagined")


def test_every_type_has_a_meaning_and_an_example_as_small_as_an_event() -> None:
    types = event_types.all_types()
    assert len(types) >= 60
    for one in types:
        assert str(one.meaning).endswith(".")
        assert 0 < len(json.dumps(one.example)) <= 1024


def test_stopping_by_hand_gives_up_what_waits_and_is_told_once(company: Company, sink: Sink) -> None:
    endpoint = an_endpoint(company, f"{sink.url}/ok")
    happens(company)
    for _ in range(2):
        webhook_endpoints.disable(endpoint=endpoint, by=BY, at=clock.now(company))
    row = WebhookDelivery.objects.get()
    assert (row.state, row.last_error) == ("dead", "endpoint stopped: by_hand")
    assert Event.objects.get(type="webhook_endpoint.disabled").data["given_up"] == 1


def test_what_was_written_while_it_was_being_stopped_is_given_up_by_the_sweep(company: Company, sink: Sink) -> None:
    endpoint = an_endpoint(company, f"{sink.url}/ok")
    happens(company)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(is_active=False, stopped="by_hand")
    assert webhook_sending.sweep() == 1
    assert WebhookDelivery.objects.get().state == "dead"
