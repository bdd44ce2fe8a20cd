"""A connection that breaks in the midst of the moves is nobody's fault: none is parked for it, the next tick moves."""

from __future__ import annotations

import threading
import time
from datetime import date
from pathlib import Path

import psycopg
import pytest
from django.db import OperationalError, connection

from core import fault_points
from subscriptions.services.renewals import move_due
from tests.factories import BY, a_company, a_subscription, at_noon

DAY = date(2026, 2, 1)


@pytest.mark.django_db(transaction=True)
def test_a_lost_connection_parks_nobody_and_the_next_tick_moves(tmp_path: Path) -> None:
    company = a_company()
    subscription = a_subscription(company, start_on=DAY)
    connection.ensure_connection()
    victim, held = connection.connection.info.backend_pid, tmp_path / "held"
    address = connection.get_connection_params()
    wanted = {name: address[name] for name in ("dbname", "user", "password", "host", "port") if address.get(name)}

    def cut() -> None:
        until = time.monotonic() + 60
        while not held.exists() and time.monotonic() < until:
            time.sleep(0.01)
        with psycopg.connect(**wanted) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [victim])
        held.unlink()

    helper = threading.Thread(target=cut)
    helper.start()
    fault_points.arm(f"moves.moved@1!wait:{held}")
    try:
        with pytest.raises(OperationalError):
            move_due(company=company, at=at_noon(DAY), by=BY)
    finally:
        fault_points.arm("")
        helper.join()
    connection.close()
    subscription.refresh_from_db()
    assert (subscription.state, subscription.parked_at, subscription.parked_code) == ("pending", None, "")
    assert move_due(company=company, at=at_noon(DAY), by=BY) == {"started": 1}
