"""Webhooks of Stripe's stand-in: signed, repeated until taken, and disturbed by plan in every way there is."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import processes
from tests.standins.stripe_process import Listener, Standin, running

Posts = tuple[Standin, Listener, str]


@pytest.fixture
def posts(stripe_process: Standin, listener: Listener) -> Posts:
    """The module's stand-in, the only endpoint of this test, and its secret. Nothing is sent but on a flush."""
    for endpoint in stripe_process.client().v1.webhook_endpoints.list({"limit": 100}).data:
        stripe_process.client().v1.webhook_endpoints.delete(endpoint.id)
    return listening(stripe_process, listener)


@pytest.fixture
def lone_posts(tmp_path: Path, listener: Listener) -> Iterator[Posts]:
    """The same with a stand-in of its own."""
    with running(tmp_path / "folder") as standin:
        yield listening(standin, listener)


def listening(standin: Standin, listener: Listener) -> Posts:
    standin.control("deliveries", {"mode": "held"})
    made = standin.client().v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"]})
    return standin, listener, str(made.secret)


def happen(standin: Standin, times: int) -> list[str]:
    """Make customers; the ids of the events, oldest first."""
    client = standin.client()
    for number in range(times):
        client.v1.customers.create({"email": f"{number}@example.com"})
    return [event.id for event in client.v1.events.list({"limit": 100}).auto_paging_iter()][::-1][-times:]


def test_an_event_is_signed_and_arrives_once(posts: Posts) -> None:
    standin, listener, secret = posts
    ids = happen(standin, 3)
    assert listener.got == []
    counts = standin.control("deliveries/flush", {})
    assert counts == {"sent": 3, "taken": 3, "refused": 0, "forged": 0, "forged_taken": 0}
    taken, refused = listener.genuine(secret)
    assert ([event["id"] for event in taken], refused) == (ids, 0)
    assert taken[0]["data"]["object"]["email"] == "0@example.com"
    assert standin.control("deliveries/flush", {})["sent"] == 0


def test_an_event_that_is_sent_is_the_one_that_is_listed(posts: Posts) -> None:
    standin, listener, _ = posts
    (id,) = happen(standin, 1)
    standin.control("deliveries/flush", {})
    listed = standin.client().v1.events.retrieve(id)
    assert json.loads(listener.got[0][0]) == listed.to_dict()


def test_what_is_refused_is_sent_again(lone_posts: Posts) -> None:
    standin, listener, secret = lone_posts
    ids = happen(standin, 2)
    listener.answers = [500, 200, 404]
    assert standin.control("deliveries/flush", {})["refused"] == 1
    assert standin.control("deliveries/flush", {})["refused"] == 1
    assert standin.control("deliveries/flush", {})["refused"] == 0
    taken, _ = listener.genuine(secret)
    assert [event["id"] for event in taken] == [ids[0], ids[1], ids[0], ids[0]]
    assert standin.control("deliveries")["states"] == {"waiting": 0, "done": 2, "failed": 0, "dropped": 0}


def test_some_come_twice(posts: Posts) -> None:
    standin, listener, secret = posts
    standin.control("deliveries", {"mode": "held", "seed": 4, "duplicate": 0.5})
    ids = happen(standin, 20)
    standin.control("deliveries/flush", {})
    got = [event["id"] for event in listener.genuine(secret)[0]]
    assert set(got) == set(ids)
    assert 24 <= len(got) <= 36


def test_the_order_can_be_lost(posts: Posts) -> None:
    standin, listener, secret = posts
    standin.control("deliveries", {"mode": "held", "seed": 4, "shuffle": True})
    ids = happen(standin, 20)
    standin.control("deliveries/flush", {})
    got = [event["id"] for event in listener.genuine(secret)[0]]
    assert got != ids
    assert sorted(got) == sorted(ids)


def test_a_dropped_one_is_never_sent_but_listed_as_undelivered(lone_posts: Posts) -> None:
    standin, listener, secret = lone_posts
    standin.control("deliveries", {"mode": "held", "seed": 4, "drop": 0.3})
    ids = happen(standin, 20)
    standin.control("deliveries/flush", {})
    got = {event["id"] for event in listener.genuine(secret)[0]}
    client = standin.client()
    missed = {event.id for event in client.v1.events.list({"delivery_success": False, "limit": 100}).data}
    arrived = {event.id for event in client.v1.events.list({"delivery_success": True, "limit": 100}).data}
    assert (got | missed, got & missed, got) == (set(ids), set(), arrived)
    assert 2 <= len(missed) <= 12
    assert standin.control("deliveries")["states"]["dropped"] == len(missed)
    assert standin.control("deliveries/resend", {"dropped": True}) == {"resent": len(missed)}
    standin.control("deliveries/flush", {})
    assert {event["id"] for event in listener.genuine(secret)[0]} == set(ids)


def way(body: bytes, headers: dict[str, str], secret: str) -> str:
    """In which way a delivery is forged; `true` when it isn't."""
    given = headers.get("Stripe-Signature")
    if given is None:
        return "no signature"
    at = int(given.split(",")[0].removeprefix("t="))
    if at < json.loads(body)["created"] - 3000:
        return "old timestamp"
    if b'"altered":true' in body:
        return "altered body"
    expected = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return "true" if given.endswith(expected) else "wrong signature"


def test_forged_ones_come_beside_the_true_ones_and_are_told_apart(posts: Posts) -> None:
    standin, listener, secret = posts
    standin.control("deliveries", {"mode": "held", "seed": 4, "forge": 1.0})
    ids = happen(standin, 20)
    counts = standin.control("deliveries/flush", {})
    assert (counts["sent"], counts["forged"]) == (40, 20)
    taken, refused = listener.genuine(secret)
    assert ([event["id"] for event in taken], refused) == (ids, 20)
    assert {way(body, headers, secret) for body, headers in listener.got} == {
        "true",
        "no signature",
        "old timestamp",
        "altered body",
        "wrong signature",
    }
    assert counts["forged_taken"] == 20  # this listener answers 200 to everything: a careless one would be seen here


def test_a_refused_forgery_is_not_repeated(posts: Posts) -> None:
    standin, listener, _ = posts
    standin.control("deliveries", {"mode": "held", "seed": 4, "forge": 1.0})
    happen(standin, 1)
    listener.answers = [200, 400]
    counts = standin.control("deliveries/flush", {})
    assert (counts["taken"], counts["refused"], counts["forged_taken"]) == (1, 1, 0)
    assert standin.control("deliveries/flush", {})["sent"] == 0


def test_an_endpoint_only_gets_the_types_it_wants(posts: Posts) -> None:
    standin, listener, _ = posts
    client = standin.client()
    for endpoint in client.v1.webhook_endpoints.list().data:
        client.v1.webhook_endpoints.delete(endpoint.id)
    made = client.v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["customer.deleted"]})
    customer = client.v1.customers.create({})
    client.v1.customers.delete(customer.id)
    standin.control("deliveries/flush", {})
    taken, _ = listener.genuine(str(made.secret))
    assert [event["type"] for event in taken] == ["customer.deleted"]
    client.v1.webhook_endpoints.update(made.id, {"disabled": True})
    client.v1.customers.delete(client.v1.customers.create({}).id)
    assert standin.control("deliveries/flush", {})["sent"] == 0


def test_a_secret_is_shown_once(posts: Posts) -> None:
    standin, _, secret = posts
    client = standin.client()
    (endpoint,) = client.v1.webhook_endpoints.list().data
    assert secret.startswith("whsec_")
    assert "secret" not in client.v1.webhook_endpoints.retrieve(endpoint.id).to_dict()


def test_events_are_listed_by_type_and_time(posts: Posts) -> None:
    standin, _, _ = posts
    client = standin.client()
    old = client.v1.customers.create({})
    standin.control("clock", {"advance": 100})
    since = standin.control("clock")["now"]
    new = client.v1.customers.create({})
    client.v1.customers.update(new.id, {"name": "Ada"})
    listed = client.v1.events.list({"created": {"gte": since}, "types": ["customer.created", "customer.deleted"]})
    assert [event.data.object["id"] for event in listed.data] == [new.id]
    updated = client.v1.events.list({"type": "customer.updated", "limit": 1}).data[0]
    assert updated.data.previous_attributes.to_dict() == {"name": None}
    assert old.id in [event.data.object["id"] for event in client.v1.events.list({"type": "customer.*"}).data]


def test_what_waited_when_the_process_was_killed_is_sent_afterwards(lone_posts: Posts) -> None:
    standin, listener, secret = lone_posts
    ids = happen(standin, 3)
    standin.kill()
    standin.start()
    assert standin.control("deliveries/flush", {})["taken"] == 3
    assert [event["id"] for event in listener.genuine(secret)[0]] == ids


def test_without_a_plan_events_go_out_by_themselves(tmp_path: Path, listener: Listener) -> None:
    with running(tmp_path / "folder") as standin:
        made = standin.control("endpoints", {"provider": "stripe", "url": listener.url})
        listener.answers = [503]
        (id,) = happen(standin, 1)
        processes.wait_until(lambda: standin.control("deliveries")["states"]["done"] == 1, 60)
        assert [event["id"] for event in listener.genuine(made["secret"])[0]] == [id, id]


def test_one_may_come_long_after_a_later_one(lone_posts: Posts) -> None:
    standin, listener, secret = lone_posts
    standin.control("deliveries", {"mode": "auto", "delay": [3600, 7200]})
    late = happen(standin, 1)
    standin.control("deliveries", {"mode": "auto"})
    soon = happen(standin, 1)
    processes.wait_until(lambda: bool(listener.got), 60)
    assert standin.control("deliveries/flush", {})["taken"] == 1
    assert [event["id"] for event in listener.genuine(secret)[0]] == soon + late


def test_many_workers_send_everything_once(posts: Posts) -> None:
    standin, listener, secret = posts
    ids = happen(standin, 60)
    assert standin.control("deliveries/flush", {"workers": 4})["taken"] == 60
    assert sorted(event["id"] for event in listener.genuine(secret)[0]) == sorted(ids)
