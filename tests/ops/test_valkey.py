"""The embedded Valkey starts, stops and heals, on a private socket."""

from __future__ import annotations

import stat

import redis

from ops import locks, processes, valkey

from .conftest import kill_all


def client(place: valkey.Store) -> redis.Redis:
    return redis.Redis.from_url(place.url())


def test_a_started_store_answers_and_a_stopped_one_is_gone(store: valkey.Store) -> None:
    assert valkey.start(store) is not None
    assert client(store).ping() is True
    assert valkey.stop(store) is True
    assert valkey.answers(store) is False
    assert locks.is_held(store.lock) is False


def test_a_second_start_finds_the_first_store(store: valkey.Store) -> None:
    valkey.start(store)
    first = processes.listener(store.socket)
    assert valkey.start(store) is None
    assert processes.listener(store.socket) == first


def test_a_killed_store_starts_again(store: valkey.Store) -> None:
    valkey.start(store)
    kill_all(store.lock, store.socket)
    assert valkey.start(store) is not None
    assert client(store).ping() is True


def test_a_stopped_store_remembers(store: valkey.Store) -> None:
    valkey.start(store)
    client(store).set("word", "kept")
    valkey.stop(store)
    valkey.start(store)
    assert client(store).get("word") == b"kept"


def test_only_the_owner_may_use_the_socket(store: valkey.Store) -> None:
    valkey.start(store)
    assert stat.S_IMODE(store.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.socket.parent.stat().st_mode) == 0o700
