"""What load balancers and monitors ask of the web server."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from core import clock, health
from core.models import Outbox, TickRun
from ops.places import ROOT
from tests.core.test_doctor import a_live_company
from tests.factories import a_company

pytestmark = pytest.mark.django_db


def values(text: str, name: str) -> dict[str, float]:
    """The samples of one figure by their labels."""
    lines = [line for line in text.splitlines() if line.startswith(name)]
    return {line[len(name) :].rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_alive_asks_nothing_of_the_database(client: Client, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert client.get("/healthz").json() == {"status": "ok"}


def test_whoever_asks_need_not_know_the_sites_name(client: Client) -> None:
    assert client.get("/healthz", headers={"host": "10.0.0.7:8000"}).status_code == 200
    assert client.get("/readyz", headers={"host": "10.0.0.7:8000"}).status_code == 200


def test_ready_when_the_database_answers(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "problems": []})


def test_unready_when_it_does_not() -> None:
    asked = """
import django; django.setup()
from django.test import Client
for path in ("/healthz", "/readyz"):
    answer = Client().get(path)
    print(answer.status_code, answer.json().get("problems", ""))
"""
    environment = {
        **os.environ,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    told = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == ["200 ", '503 ["The database doesn\'t answer: OperationalError"]']


def test_unready_while_migrations_are_missing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.setattr(health, "_missing_until", float("-inf"))
    MigrationRecorder.Migration.objects.filter(app="crm").latest("id").delete()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["problems"]) == (503, ["Migrations are missing: run manage.py migrate."])
    assert not health._migrated


def test_missing_migrations_are_not_looked_for_by_every_request(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may ask: reading them all at each request would keep a web server busy."""
    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.setattr(health, "_missing_until", float("-inf"))
    gone = MigrationRecorder.Migration.objects.filter(app="crm").latest("id")
    app, name = gone.app, gone.name
    gone.delete()
    looks: list[object] = []
    real = health.MigrationExecutor
    monkeypatch.setattr(health, "MigrationExecutor", lambda *given: looks.append(given) or real(*given))
    assert [client.get("/readyz").status_code for _ in range(5)] == [503] * 5
    assert len(looks) == 1
    MigrationRecorder.Migration.objects.create(app=app, name=name)
    monkeypatch.setattr(health, "_missing_until", 0.0)
    assert client.get("/readyz").status_code == 200


def test_metrics_tell_what_waits_and_for_how_long(client: Client) -> None:
    company = a_company()
    at = clock.machine_now()
    row = {"company": company, "kind": "mail", "payload": {}}
    Outbox.objects.create(**row, key="1", due_at=at - timedelta(seconds=90))
    Outbox.objects.create(**row, key="2", due_at=at + timedelta(hours=1))
    Outbox.objects.create(**row, key="3", due_at=at, state=Outbox.State.DEAD)
    live = a_live_company()
    TickRun.objects.create(
        company=live, name="billing.run", ran_at=at, ended_at=at - timedelta(minutes=3), milliseconds=1,
        outcome={"error": "no"},
    )  # fmt: skip
    text = client.get("/metrics").content.decode()
    assert values(text, "turnus_outbox_waiting") == {'{kind="mail"}': 2}
    assert values(text, "turnus_outbox_due") == {'{kind="mail"}': 1}
    assert 90 <= values(text, "turnus_outbox_oldest_seconds")['{kind="mail"}'] < 150
    assert values(text, "turnus_outbox_dead") == {'{kind="mail"}': 1}
    assert 180 <= values(text, "turnus_tick_age_seconds")['{tick="billing.run"}'] < 240
    assert values(text, "turnus_tick_failing") == {'{tick="billing.run"}': 1}


def test_metrics_count_requests_by_view(client: Client) -> None:
    client.get("/accounts/login/")
    text = client.get("/metrics").content.decode()
    seen = values(text, "django_http_requests_total_by_view_transport_method_total")
    assert any('view="account_login"' in labels for labels in seen)


@pytest.mark.parametrize(
    "headers",
    [
        {"REMOTE_ADDR": "203.0.113.9"}, {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}, {"HTTP_X_REAL_IP": "203.0.113.9"},
        {"HTTP_FORWARDED": "for=203.0.113.9"}, {"HTTP_VIA": "1.1 proxy"}, {"HTTP_X_FORWARDED_PROTO": "https"},
    ],
)  # fmt: skip
def test_metrics_are_for_this_machine_alone(client: Client, headers: dict[str, str]) -> None:
    assert client.get("/metrics", **headers).status_code == 403  # type: ignore[arg-type]


def test_metrics_open_to_whoever_has_the_token(client: Client, settings: object) -> None:
    settings.METRICS_TOKEN = "long-and-secret"  # type: ignore[attr-defined]
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 403
    right = {"authorization": "Bearer long-and-secret"}
    assert client.get("/metrics", headers=right, REMOTE_ADDR="203.0.113.9").status_code == 200
