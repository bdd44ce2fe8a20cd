"""The recovery board, its cases and dunning policies at the office."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.money import a_case, a_claim, late, url
from tests.backoffice.test_acts import text_of


def a_late_case(office: Office) -> Any:
    """An invoice that is late, with its case."""
    office.invoice()
    late(office, 40)
    return a_case(office, opened_at=office.at)


def test_the_board_and_the_list_show_the_same(office: Office) -> None:
    case = a_late_case(office)
    client = office.client()
    board = client.get(url("recovery"))
    assert board.context["at_risk"] == {"EUR": 11900}
    assert sum(entry["lane"].count for entry in board.context["lanes"]) == 1
    rows = client.get(url("recovery", query="?view=list"))
    assert [row.pk for row in rows.context["list"].rows] == [case.pk]
    assert rows.context["totals"] == {"EUR": 11900}


def test_a_case_is_promised_paused_and_resumed(office: Office) -> None:
    case, client = a_late_case(office), office.client()
    day = TODAY + timedelta(days=45)
    client.post(url("case-promise", case.ref), {"until": day.isoformat(), "reason": "By phone"})
    case.refresh_from_db()
    assert (case.state, case.promised_on) == ("promised", day)
    client.post(url("case-act", case.ref), {"act": "resume"})
    client.post(url("case-pause", case.ref), {"reason": "Looked into"})
    case.refresh_from_db()
    assert case.state == "paused"
    page = text_of(client.get(url("dunning-case", case.ref)))
    assert "Looked into" in page


def test_cases_are_paused_together_with_a_reason(office: Office) -> None:
    case, client = a_late_case(office), office.client()
    seen = client.post(url("recovery-bulk"), {"act": "pause", "row": [case.ref]})
    assert [row.case.pk for row in seen.context["doing"]] == [case.pk]
    client.post(url("recovery-bulk"), {"act": "pause", "row": [case.ref], "step": "do"})
    case.refresh_from_db()
    assert case.state == "open"
    client.post(url("recovery-bulk"), {"act": "pause", "row": [case.ref], "step": "do", "reason": "Strike"})
    case.refresh_from_db()
    assert case.state == "paused"
    again = client.post(url("recovery-bulk"), {"act": "pause", "row": [case.ref]})
    assert [row.skipped for row in again.context["skipped"]] == ["dunning is paused"]


def test_what_is_late_is_written_off_by_who_may(office: Office) -> None:
    case = a_late_case(office)
    sent = {"reason": "Insolvent"}
    assert office.client("support").post(url("case-write-off", case.ref), sent).status_code == 403
    office.client().post(url("case-write-off", case.ref), sent)
    assert case.customer.invoices.get().balance.status == "uncollectible"


def test_a_claim_is_waived(office: Office) -> None:
    from billing.models import Claim
    from billing.services import books

    invoice = office.invoice()
    case = a_case(office)
    claim = a_claim(case, invoice)
    books.post(
        company=office.company,
        entries=[books.Entry([("receivable", "EUR", 4000), ("claim", "EUR", -4000)], TODAY, None, "claim", claim.pk)],
    )
    office.client().post(url("claim-waive", claim.ref), {"reason": "Goodwill"})
    assert Claim.objects.get().status == "waived"


# Dunning policies -------------------------------------------------------------------------------------------------


def steps_sent(*steps: tuple[int, str]) -> dict[str, str]:
    sent = {"step-TOTAL_FORMS": str(len(steps)), "step-INITIAL_FORMS": "0"}
    for number, (days, action) in enumerate(steps):
        sent |= {f"step-{number}-days": str(days), f"step-{number}-action": action, f"step-{number}-level": "1"}
    return sent


def test_a_policy_is_shown_in_words_before_it_is_saved(office: Office) -> None:
    from billing.models import DunningPolicy

    client = office.client()
    client.get(url("dunning-policies"))
    before = DunningPolicy.objects.count()
    sent = {"name": "Ours", "customer_group": "vip", **steps_sent((10, "mail"), (2, "retry"))}
    seen = client.post(url("dunning-policy-create"), sent)
    assert seen.context["plan"] == ["2 days late: try to collect again", "10 days late: reminder by mail (first)"]
    assert DunningPolicy.objects.count() == before
    client.post(url("dunning-policy-create"), sent | {"step": "do"})
    made = DunningPolicy.objects.get(name="Ours")
    assert [(step.days, step.action, step.level) for step in made.steps.all()] == [(2, "retry", 0), (10, "mail", 1)]


# What stands on the buttons ----------------------------------------------------------------------------------------


def test_writing_off_is_offered_to_who_may_credit_alone(office: Office) -> None:
    from core.models import Membership, Role, User

    case = a_late_case(office)
    rights = ["customer.read", "invoice.read", "payment.read", "payment.write"]
    clerk = User.objects.create_user("clerk@x.example", name="Clerk")
    Membership.objects.create(
        company=office.company, user=clerk, role=Role.objects.create(company=office.company, name="C", rights=rights)
    )
    offered = {}
    for name, client in (("admin", office.client()), ("clerk", office.client())):
        if name == "clerk":
            client.force_login(clerk, backend="allauth.account.auth_backends.AuthenticationBackend")
        answer = client.get(url("recovery", query="?view=list"))
        offered[name] = {act for act, _words in answer.context["acts"]}
    assert offered["admin"] - offered["clerk"] == {"write_off"}
    answer = client.post(url("recovery-bulk"), {"act": "write_off", "row": [case.ref], "step": "do", "reason": "No"})
    assert answer.status_code == 302
    assert case.customer.invoices.get().balance.status == "open"


def test_a_case_is_collected_again_after_a_preview_with_its_sum(office: Office) -> None:
    from billing.models import Attempt
    from tests.backoffice.money import a_method, an_account

    case = a_late_case(office)
    a_method(office, an_account(office))
    client, sent = office.client(), {"act": "retry", "row": [case.ref]}
    page = text_of(client.get(url("dunning-case", case.ref)))
    assert "Collect again" in page
    seen = client.post(url("recovery-bulk"), sent)
    assert (seen.context["sum_minor"], seen.context["sum_currency"]) == (11900, "EUR")
    assert not Attempt.objects.exists()
    answer = client.post(url("recovery-bulk"), sent | {"step": "do"})
    assert answer["Location"] == url("dunning-case", case.ref)
    assert Attempt.objects.get().amount_minor == 11900


def test_what_came_back_is_shown_when_nobody_is_late_any_more(office: Office) -> None:
    from billing.services import dunning, payments
    from tests.factories import BY

    invoice = office.invoice()
    late(office, 40)
    at = office.company.clock_at
    dunning.dunning_tick(office.company, at)
    payments.record(
        company=office.company, customer=office.customer, amount_minor=11900, currency="EUR", method="transfer",
        received_on=at.date(), invoice=invoice, by=BY, at=at,
    )  # fmt: skip
    dunning.dunning_tick(office.company, at)
    page = text_of(office.client().get(url("recovery")))
    assert "Nobody is late" in page
    assert "Recovered in 30 days €119.00" in page
