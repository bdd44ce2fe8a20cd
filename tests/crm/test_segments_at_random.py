"""Whatever the rules and whoever the customers: the database finds exactly whom plain Python finds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.crm.segmenting import ON, STATES, WORDS, Naive, a_world
from tests.factories import BY, a_customer, at_noon

pytestmark = pytest.mark.django_db

DAYS = st.sampled_from([0, 1, 7, 30, 60, 400])
EDGES = st.integers(-60, 60).map(lambda days: (ON + timedelta(days=days)).isoformat())
ENTRIES = st.fixed_dictionaries({"key": st.sampled_from(["tag", "tier", "0", "none"]),
                                 "value": st.sampled_from(["vip", "gold", "Gold", "old", "x"])})  # fmt: skip
CHOICES = {
    "kind": ("company", "person"), "language": ("de", "en", "fr"), "country": ("DE", "FR", "AT", "IT"),
    "state": STATES, "interval": ("day", "week", "month", "quarter", "half_year", "year", "other"),
    "end_reason": ("too_expensive", "not_used", "other"), "renewal_rule": ("renew", "evergreen", "expire", "ask"),
    "payment_method": ("card", "paypal", "debit", "transfer"),
}  # fmt: skip
REFS = {"plan": "plan", "product": "product", "first_campaign": "campaign", "discount": "discount"}


def some(values: Any) -> Any:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


@st.composite
def conditions(draw: Any) -> dict[str, Any]:
    """A condition on any field of the table; rows are named by place, for the world is made later."""
    from crm.services.segment_fields import BARE_OPS, DAYS_OPS, FIELDS

    field = FIELDS[draw(st.sampled_from(sorted(FIELDS)))]
    op = draw(st.sampled_from(sorted(field.operators)))
    match field.kind:
        case "choice":
            value = draw(some(CHOICES[field.name]))
        case "ref":
            value = draw(st.lists(st.integers(0, 1), min_size=1, max_size=2, unique=True))
        case "yes":
            value = draw(st.booleans())
        case "number":
            value = draw(st.integers(0, 3))
        case "money":
            amount = draw(st.sampled_from(["0", "5", "11.90", "25", "30.00"]))
            value = {"amount": amount, "currency": draw(st.sampled_from(["EUR", "CHF"]))}
        case "date":
            value = draw(DAYS) if op in DAYS_OPS else None if op in BARE_OPS else draw(EDGES)
        case "text":
            value = None if op in BARE_OPS else draw(st.sampled_from([*WORDS, "a", "e", "EUR", "%", "_", "customer"]))
        case "entry":
            value = draw(ENTRIES)
            value = {"key": value["key"]} if op == "set" else value
        case "usage":
            value = {"meter": draw(st.integers(0, 1)), "days": draw(st.sampled_from([1, 10, 40])),
                     "quantity": draw(st.sampled_from(["0", "3", "5.5", "12"]))}  # fmt: skip
    return {"field": field.name, "op": op, "value": value, "negated": draw(st.booleans())}


MATCH = st.sampled_from(["all", "any"])
GROUPS = st.fixed_dictionaries({"match": MATCH, "negated": st.booleans(),
                                "conditions": st.lists(conditions(), min_size=1, max_size=3)})  # fmt: skip
RULES = st.fixed_dictionaries({"match": MATCH, "conditions": st.lists(conditions(), max_size=3),
                               "groups": st.lists(GROUPS, max_size=2)})  # fmt: skip


def with_rows(rules: dict[str, Any], world: Any) -> dict[str, Any]:
    """The rules with the world's own plans, meters and the like."""

    def named(one: dict[str, Any]) -> dict[str, Any]:
        if one["field"] in REFS:
            rows = getattr(world, REFS[one["field"]])
            return one | {"value": [rows[place].ref for place in one["value"]]}
        if one["field"] == "usage":
            return one | {"value": one["value"] | {"meter": world.meter[one["value"]["meter"]].ref}}
        return one

    groups = [group | {"conditions": [named(one) for one in group["conditions"]]} for group in rules["groups"]]
    return rules | {"conditions": [named(one) for one in rules["conditions"]], "groups": groups}


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(seed=st.integers(0, 10_000), many=st.lists(RULES, min_size=30, max_size=30))
def test_the_database_finds_whom_plain_python_finds(db: None, seed: int, many: list[dict[str, Any]]) -> None:
    from crm.services import segment_rules, segments
    from customers.models import Customer

    world = a_world(seed)
    customers = list(Customer.objects.filter(company=world.company))
    naive = Naive(world, ON)
    for drawn in many:
        rules = with_rows(drawn, world)
        read = segment_rules.read(segment_rules.checked(world.company, rules).kept())
        found = {row.pk for row in segments.matching(company=world.company, rules=read, on=ON)}
        assert found == {one.pk for one in customers if naive.holds(rules, one)}, rules


def a_value(field: Any, world: Any) -> Any:
    """Something that fits the field."""
    return {
        "choice": lambda: list(CHOICES[field.name][:2]),
        "yes": lambda: True,
        "number": lambda: 1,
        "money": lambda: {"amount": "11.90", "currency": "EUR"},
        "text": lambda: "EUR" if field.name == "currency" else "a",
        "ref": lambda: [getattr(world, REFS[field.name])[0].ref],
        "entry": lambda: {"key": "tag", "value": "vip"},
        "usage": lambda: {"meter": world.meter[0].ref, "days": 40, "quantity": "5"},
        "date": lambda: 30,
    }[field.kind]()


def test_every_field_is_asked_alone(db: None) -> None:
    """Each field with each of its operators, so that none is missed by chance; and some of them find somebody."""
    from crm.services import segment_rules, segments
    from crm.services.segment_fields import BARE_OPS, DAYS_OPS, FIELDS
    from customers.models import Customer
    from customers.services import suppressing

    world = a_world(8, customers=14)
    refused = a_customer(world.company)
    suppressing.suppress(company=world.company, address=refused.email, reason="bounced", by=BY, at=at_noon(ON))
    naive = Naive(world, ON)
    customers = list(Customer.objects.filter(company=world.company))
    found_some, found_not_all = set(), set()
    for field in FIELDS.values():
        for op in field.operators:
            value: Any = a_value(field, world)
            if op in BARE_OPS:
                value = {"key": "tag"} if field.kind == "entry" else None
            elif field.kind == "date" and op not in DAYS_OPS:
                value = ON.isoformat()
            rules = {"match": "all", "groups": [], "conditions": [{"field": field.name, "op": op, "value": value}]}
            read = segment_rules.checked(world.company, rules)
            found = {row.pk for row in segments.matching(company=world.company, rules=read, on=ON)}
            assert found == {one.pk for one in customers if naive.holds(rules, one)}, rules
            found_some |= {field.name} if found else set()
            found_not_all |= {field.name} if len(found) < len(customers) else set()
    assert found_some == set(FIELDS)
    assert found_not_all == set(FIELDS)
