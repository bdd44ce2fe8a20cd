"""A message whose broker is gone when its task is done gives its place in the worker back."""

from __future__ import annotations

import logging

import pytest
from kombu import Connection
from kombu.transport import redis

from config.broker import Message
from config.celery import broker_url
from ops import valkey


@pytest.mark.parametrize(("kind", "may_take_more"), [(Message, True), (redis.Channel.Message, False)])
def test_a_place_is_free_again_though_nobody_can_be_told(
    store: valkey.Store, monkeypatch: pytest.MonkeyPatch, kind: type[Message], may_take_more: bool
) -> None:
    """With the transport's own class it is not, and a worker with one place asks for nothing any more."""
    valkey.start(store, dies_with_us=True)
    monkeypatch.setattr(redis.Channel, "Message", kind)
    options = {"socket_timeout": 2, "socket_connect_timeout": 2, "max_retries": 0}
    with Connection(broker_url(store.url()), transport_options=options) as connection:
        queue = connection.SimpleQueue("work", serializer="json")
        queue.put({"chunk": 1})
        channel = queue.consumer.channel
        channel.basic_qos(prefetch_count=1)
        message = queue.get(timeout=10)
        assert isinstance(message, kind)
        assert not channel.qos.can_consume()
        valkey.stop(store)
        message.ack_log_error(logging.getLogger(__name__), connection.connection_errors)
        assert channel.qos.can_consume() is may_take_more
        channel.qos._delivered.clear()  # or it would be put back at the end, into a broker that is gone
