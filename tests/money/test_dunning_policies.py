"""Which policy a case follows, and that a case keeps the steps it began with."""

from __future__ import annotations

import pytest

from core.refusal import Refused
from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.dunning import a_policy, bill, case_of, days, mails, tick, walk

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    return a_company(payment_terms_days=0)


def saved(company, name, **changes):
    from billing.services import dunning_policies

    values = {"steps": [dunning_policies.Step(days=3, action="mail")], **changes}
    return dunning_policies.save(company=company, name=name, by=BY, at=at_noon(TODAY), **values)


def test_every_company_begins_with_a_general_policy_and_two_for_groups(company):
    from billing.models import DunningPolicy

    found = DunningPolicy.objects.filter(company=company).order_by("pk")
    assert [(row.name, row.customer_group) for row in found] == [
        ("Standard", ""), ("Gentle", "gentle"), ("Strict", "strict")
    ]  # fmt: skip
    assert not found[0].steps.filter(action__in=["claim", "suspend", "cancel", "write_off", "hand_over"]).exists()


def test_a_company_from_before_gets_its_policies_with_its_first_case(company):
    from billing.models import DunningPolicy

    DunningPolicy.objects.filter(company=company).delete()
    bill(company, a_customer(company))
    walk(company, days(1), days(3))
    assert DunningPolicy.objects.filter(company=company).count() == 3


@pytest.mark.parametrize(
    ("customer", "name"),
    [
        ({"kind": "person"}, "General"),
        ({"kind": "company"}, "Businesses"),
        ({"kind": "company", "dunning_group": "vip"}, "Group"),
        ({"kind": "person", "dunning_group": "other"}, "General"),
    ],
)
def test_the_most_specific_policy_holds(company, customer, name):
    from billing.services import dunning_policies

    a_policy(company, (3, "mail"))
    general = dunning_policies.ensure_defaults(company=company)
    saved(company, "General", policy=general)
    saved(company, "By transfer", method_kind="card")
    saved(company, "Businesses", customer_kind="company")
    saved(company, "Group", customer_group="vip")
    assert dunning_policies.policy_for(a_customer(company, **customer)).name == name


def test_who_has_no_method_on_file_pays_by_transfer(company):
    from billing.services import dunning_policies

    saved(company, "By transfer", method_kind="transfer")
    assert dunning_policies.policy_for(a_customer(company)).name == "By transfer"


def test_a_policy_nobody_followed_yet_is_changed_in_place(company):
    from billing.services import dunning_policies

    general = dunning_policies.ensure_defaults(company=company)
    assert saved(company, "Ours", policy=general).pk == general.pk
    assert [step.days for step in general.steps.all()] == [3]


def test_a_case_keeps_its_steps_when_the_policy_is_changed(company):
    from billing.services import dunning_policies

    customer, later = a_customer(company), a_customer(company)
    first = a_policy(company, (3, "mail"))
    bill(company, customer)
    tick(company, days(1))
    second = saved(
        company, "Changed", policy=first, steps=[dunning_policies.Step(days=2, action="mail", level=3)]
    )  # fmt: skip
    first.refresh_from_db()
    assert (second.pk != first.pk, first.is_active, second.is_active) == (True, False, True)
    bill(company, later)
    walk(company, days(2), days(4))
    assert mails(customer) == [(days(3), "reminder_0")]
    assert mails(later) == [(days(2), "reminder_3")]
    assert case_of(customer).policy_id == first.pk


def test_two_policies_for_the_same_customers_are_refused(company):
    saved(company, "One", customer_kind="person")
    with pytest.raises(Refused, match=r"dunning\.policy_taken"):
        saved(company, "Two", customer_kind="person")


def test_the_general_policy_stays_general_and_active(company):
    from billing.services import dunning_policies

    general = dunning_policies.ensure_defaults(company=company)
    with pytest.raises(Refused, match=r"dunning\.general_stays"):
        saved(company, "Ours", policy=general, customer_kind="person")
    with pytest.raises(Refused, match=r"dunning\.general_stays"):
        dunning_policies.switch_off(policy=general, by=BY, at=at_noon(TODAY))


def test_a_policy_switched_off_gets_no_new_case(company):
    from billing.services import dunning_policies

    one = saved(company, "One", customer_kind="company")
    dunning_policies.switch_off(policy=one, by=BY, at=at_noon(TODAY))
    assert dunning_policies.policy_for(a_customer(company)).name == "Standard"


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({"days": -1, "action": "mail"}, r"dunning\.step_days"),
        ({"days": 731, "action": "mail"}, r"dunning\.step_days"),
        ({"days": 3, "action": "mail", "level": 4}, r"dunning\.step_level"),
        ({"days": 3, "action": "shout"}, r"choice"),
        ({"days": 3, "action": "claim", "fee_minor": -1}, r"number\.range"),
        ({"days": 3, "action": "cancel", "end_unused": "keep"}, r"choice"),
    ],
)
def test_a_step_that_can_not_be_is_refused(company, step, code):
    from billing.services import dunning_policies

    with pytest.raises(Refused, match=code):
        saved(company, "Ours", customer_kind="person", steps=[dunning_policies.Step(**step)])


def test_a_policy_without_steps_is_refused(company):
    with pytest.raises(Refused, match=r"dunning\.steps_count"):
        saved(company, "Ours", customer_kind="person", steps=[])
