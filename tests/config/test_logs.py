"""What the log says of a request, and what it must not say."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import structlog
from django.test import Client

from config import logs


@pytest.fixture
def entries(capsys: pytest.CaptureFixture[str]) -> Any:
    """Everything written since, as JSON objects."""
    handler = logging.StreamHandler()
    form = logs.logging_settings(level="INFO", form="json")["formatters"]["entry"]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**{k: v for k, v in form.items() if k != "()"}))
    root = logging.getLogger()
    before, level = root.handlers, root.level
    root.handlers = [handler]
    root.setLevel("INFO")
    written: list[dict[str, Any]] = []
    handler.emit = lambda record: written.append(json.loads(handler.format(record)))  # type: ignore[method-assign]
    yield written
    root.handlers = before
    root.setLevel(level)


@pytest.mark.django_db
def test_a_request_is_told_with_its_id_and_what_it_came_to(client: Client, entries: list[dict[str, Any]]) -> None:
    client.get("/metrics")
    (entry,) = [one for one in entries if one["event"] == "request_finished"]
    assert (entry["code"], entry["request"]) == (200, "GET /metrics")
    assert len(entry["request_id"]) == 36
    assert "ip" not in entry


@pytest.mark.django_db
def test_a_signed_link_is_never_written(client: Client, entries: list[dict[str, Any]]) -> None:
    token = "eyJpbnZvaWNlIjo0Mn0:1tQabc:signature-of-the-link"
    client.get(f"/pay/{token}/?next={token}")
    assert any(one["event"] == "request_finished" for one in entries)
    assert token not in json.dumps(entries)


def test_nor_an_address_of_a_person(entries: list[dict[str, Any]]) -> None:
    structlog.get_logger("turnus.test").warning("mail refused", to="ann@example.org", job="job_1")
    logging.getLogger("turnus.test").warning("%s refused", "ann@example.org")
    assert [one["event"] for one in entries] == ["mail refused", "…@… refused"]
    assert (entries[0]["to"], entries[0]["job"]) == ("…@…", "job_1")
