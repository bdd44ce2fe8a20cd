"""The published description: valid, complete, in step with what is committed, and readable."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from api.schema import CSV, PDF, XLSX, ZIP

from .caller import at, faults

SNAPSHOT = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"


@pytest.fixture(scope="module")
def document():
    from api import schema

    return schema.document()


def operations(document):
    return [
        (f"{method.upper()} {address}", address, method, described)
        for address, methods in document["paths"].items()
        for method, described in methods.items()
    ]


def whole(part):
    """The part itself, or what it refers to."""
    return at(*part["$ref"].removeprefix("#/").split("/")) if "$ref" in part else part


def test_every_address_of_the_door_is_described(document):
    from django.urls import get_resolver

    from api.urls import urlpatterns

    assert get_resolver().resolve("/api/v1/customers")
    open_ones = {"", "openapi.json", "docs", "<path:rest>"}
    addresses = {
        "/api/v1/" + re.sub(r"<str:(\w+)>", r"{\1}", str(pattern.pattern))
        for pattern in urlpatterns
        if str(pattern.pattern) not in open_ones
    }
    assert addresses == set(document["paths"])


def test_it_says_openapi_3_1(document):
    assert document["openapi"] == "3.1.1"
    assert document["info"]["title"] == "Turnus API"
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_every_operation_has_a_name_of_its_own(document):
    names = [described["operationId"] for _, _, _, described in operations(document)]
    assert len(names) == len(set(names)) > 90


def test_every_operation_has_summary_scopes_example_and_errors(document):
    for name, address, method, described in operations(document):
        assert described["summary"] and described["x-scopes"] and described["tags"], name
        assert {"401", "403", "422", "429", "500"} <= described["responses"].keys(), name
        assert ("404" in described["responses"]) == ("{" in address), name
        for answer in described["responses"].values():
            for media_type, content in whole(answer).get("content", {}).items():
                assert "example" in content or media_type in (PDF, ZIP, XLSX, CSV), name
        if method in ("post", "put", "patch") and "requestBody" in described:
            assert "example" in described["requestBody"]["content"]["application/json"], name


def test_every_example_fits_its_schema(document):
    places = [
        ("paths", address, method, *steps)
        for _name, address, method, described in operations(document)
        for steps in [("requestBody",), *(("responses", status) for status in described["responses"])]
    ] + [("components", "responses", name) for name in document["components"]["responses"]]
    found = []
    for steps in places:
        told = at(*steps[:-1]).get(steps[-1], {})
        for media_type, content in told.get("content", {}).items():
            if "example" in content:
                found += [
                    (steps, fault) for fault in faults(content["example"], *steps, "content", media_type, "schema")
                ]
    assert found == []


def test_every_schema_is_valid_json_schema(document):
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("description"), name


def test_every_reference_leads_somewhere(document):
    text = json.dumps(document)
    for kind, name in set(re.findall(r'"#/components/(\w+)/(\w+)"', text)):
        assert name in document["components"][kind]


def test_members_say_what_they_hold(document):
    """Members taken from models carry the model's own words; the rest mostly speak for themselves."""
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("properties") or name.endswith("Input"), name
    customer = document["components"]["schemas"]["Customer"]["properties"]
    assert customer["vat_id"]["description"] == "With country letters."
    assert customer["kind"]["enum"] == ["company", "person"]


def test_every_post_takes_an_idempotency_key(document):
    for name, _, method, described in operations(document):
        names = {whole(parameter)["name"] for parameter in described["parameters"]}
        assert ("Idempotency-Key" in names) == (method == "post"), name
        assert ("If-Match" in names) == (method in ("patch", "put", "delete")), name


def test_acts_that_move_money_have_a_twin_that_previews(document):
    acts = [
        "subscriptions", "subscriptions/{subscription}/cancel", "subscriptions/{subscription}/undo-cancel",
        "invoices/{invoice}/issue", "invoices/{invoice}/void", "invoices/{invoice}/credit",
        "invoices/{invoice}/write-off", "payments", "payments/{payment}/allocate", "payments/{payment}/take-back",
        "customers/{customer}/refunds", "customers/{customer}/apply-credit",
    ]  # fmt: skip
    for act in acts:
        does = document["paths"][f"/api/v1/{act}"]["post"]["requestBody"]
        twin = document["paths"][f"/api/v1/{act}/preview"]["post"]["requestBody"]
        assert does == twin, act
    assert len([address for address in document["paths"] if address.endswith("/preview")]) >= len(acts)


def test_the_committed_description_is_in_step(document):
    """Changed on purpose? `python manage.py write_openapi` writes it anew; the diff is what callers will notice."""
    assert json.loads(SNAPSHOT.read_text("utf-8")) == json.loads(json.dumps(document))


@pytest.mark.django_db
def test_the_description_is_open_to_everybody(client):
    answer = client.get("/api/v1/openapi.json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json()["openapi"] == "3.1.1"


@pytest.mark.django_db
def test_people_find_every_operation_and_every_problem(client, document):
    from core.refusal import codes

    answer = client.get("/api/v1/docs")
    page = answer.content.decode()
    assert answer.status_code == 200
    for _, _, _, described in operations(document):
        assert f'id="{described["operationId"]}"' in page
    for code in codes():
        assert f'id="problem-{code}"' in page


@pytest.mark.django_db
def test_the_page_has_nothing_inline(client):
    answer = client.get("/api/v1/docs")
    page = answer.content.decode()
    assert "style=" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert "'unsafe-inline'" not in answer["Content-Security-Policy"]


@pytest.mark.django_db
def test_a_problem_points_to_where_it_is_explained(client, api):
    code = api.get("customers/cus_x").body["type"].partition("#")[2]
    assert f'id="{code}"' in client.get("/api/v1/docs").content.decode()
