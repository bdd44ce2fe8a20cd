"""Whatever stands in a body, the answer is the caller's fault or success, never ours."""

from __future__ import annotations

import copy
import json
from itertools import count

import pytest

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
JUNK = [
    None, "", " ", "x" * 5000, "\u202e\t\\", -1, 0, 10**18, 1.5, True, [], {}, [None], {"a": {"b": [1]}}, "1E5", "NaN",
    "-0", "99999999999", "2026-02-31", "2999-12-31", "1900-01-01", "cus_01h455vb4pex5vsknk084sn02q", "XXX", "=1+1",
    "١٢",
]  # fmt: skip


def places(value, steps=()):
    """Every place in a body."""
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*steps, name)
            yield from places(inner, (*steps, name))


def filled(value, ids):
    """The example with ids of rows that exist."""
    if isinstance(value, dict):
        return {
            name: ids[name] if name in ids and isinstance(inner, str) else filled(inner, ids)
            for name, inner in value.items()
        }
    return [filled(inner, ids) for inner in value] if isinstance(value, list) else value


def test_no_value_of_any_field_breaks_an_operation(house):
    """Every field of every body, each time with the next junk value; the body itself as well."""
    from django.db import transaction
    from django.test import Client

    from api import schema
    from tests.house.test_every_door import api_key, api_ways

    client = Client(raise_request_exception=False)
    headers = {"Authorization": f"Bearer {api_key(house.one, '*')}"}
    ids = {name: house.ids[name] for name in ("customer", "plan", "product", "invoice")}
    turn, faults, passed = count(), [], 0
    for way in api_ways():
        if way.body is None:
            continue
        content = schema.document()["paths"][way.address][way.method]["requestBody"]["content"]["application/json"]
        declared = schema.document()["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        base = filled(way.body, ids)
        fields = dict.fromkeys([*places(base), *((name,) for name in declared["properties"])])
        for steps in fields:
            body = copy.deepcopy(base)
            inner = body
            for step in steps[:-1]:
                inner = inner[step]
            inner[steps[-1]] = junk = JUNK[next(turn) % len(JUNK)]
            with transaction.atomic():
                answer = getattr(client, way.method)(
                    way.at(house.ids), json.dumps(body), content_type="application/json", headers=headers
                )
                transaction.set_rollback(True)
            if answer.status_code >= 500 or answer.status_code in (401, 403, 404, 405):
                faults.append((str(way), steps, junk, answer.status_code))
            passed += 1
    assert faults == []
    assert passed > 300
