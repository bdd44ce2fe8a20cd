"""A worker that lost its broker in the middle of a task works again when the broker is back.

A task done while the connection is gone can't be acknowledged. Celery's transport for Redis goes on counting its
message as under way; once as many are counted as the worker has places, it asks for no more and never learns that the
connection is broken. The rule here: a message that can't be acknowledged gives its place back. The broker hands it out
again some day, which is why every task may run twice.
"""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport import redis, virtual


class Message(virtual.Message):  # type: ignore[misc]
    """A message whose place is free again when nobody can be told that it is done."""

    def ack_log_error(self, logger: logging.Logger, errors: Any, multiple: bool = False) -> None:
        try:
            self.ack(multiple=multiple)
        except errors as error:
            logger.warning("Couldn't acknowledge %s: %r", self.delivery_tag, error)
            virtual.QoS.ack(self.channel.qos, self.delivery_tag)


def give_places_back() -> None:
    """For this process and those it starts."""
    redis.Channel.Message = Message
