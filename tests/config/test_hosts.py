"""Connections end when the other side is silent for too long, at both of their ends; what a URL says comes first."""

from __future__ import annotations

import doctest

import pytest
from django.db import connection

from config import hosts


def test_the_examples_hold() -> None:
    assert doctest.testmod(hosts).failed == 0


@pytest.mark.django_db
def test_the_server_ends_a_transaction_in_which_nothing_is_asked_for_five_minutes() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("5min",)


def test_what_the_url_says_comes_before() -> None:
    options = hosts.database_options({"tcp_user_timeout": 5, "sslmode": "require"}, seconds=30, pooled=False)
    assert (options["tcp_user_timeout"], options["sslmode"], options["connect_timeout"]) == (5, "require", 10)


def test_behind_a_pooler_nothing_is_asked_of_the_server() -> None:
    assert "options" not in hosts.database_options({}, seconds=30, pooled=True)


def test_the_brokers_connections_are_asked_for_signs_of_life() -> None:
    from config.celery import app

    given = app.conf.broker_transport_options
    assert given["socket_keepalive"] and 30_000 in given["socket_keepalive_options"].values()
    assert app.conf.broker_connection_max_retries is None
