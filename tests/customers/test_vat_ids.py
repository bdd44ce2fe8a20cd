"""VAT ids are asked about at VIES (a stand-in, as a process of its own); only an answer changes a state."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from core.refusal import Refused
from ops import processes
from ops.places import ROOT
from tests.ops.test_mailcatcher import takes_connections

from .given import AT, BY

VAT_ID = "FR40303265045"
OTHER = "IT00743110157"


class StandIn:
    """The stand-in, its address, and what it was told to know."""

    def __init__(self, folder):
        self.file, port = folder / "vies.json", processes.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.knows()
        command = [sys.executable, "standins/vies.py", "--file", str(self.file), "--port", str(port)]
        self.process = subprocess.Popen(command, cwd=ROOT)
        assert processes.wait_until(lambda: takes_connections(port), 60)

    def knows(self, **known):
        self.file.write_text(json.dumps({"default": "valid", **known}))

    def asked(self):
        log = self.file.with_name("vies.json.asked")
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


@pytest.fixture
def vies(tmp_path, settings):
    stand_in = StandIn(tmp_path)
    settings.VIES_URL = stand_in.url
    yield stand_in
    stand_in.end()


def french(company, vat_id=VAT_ID, **more):
    from customers.services import customers

    address = {"lines": ["Rue 1"], "postal_code": "75001", "city": "Paris", "country": "FR"}
    return customers.create_customer(
        company=company, name="Durand SARL", address=address, vat_id=vat_id, **more, by=BY, at=AT
    )


def carry_out(company):
    from core.services import outbox

    return outbox.relay(worker="test", company_id=company.pk)


def checks(customer):
    from customers.models import VatCheck

    return list(VatCheck.objects.filter(customer=customer).order_by("pk"))


def state(customer):
    customer.refresh_from_db()
    return customer.vat_state


def test_a_new_vat_id_is_asked_about_and_the_answer_kept_as_proof(company, vies):
    company.vat_id = "DE136695976"
    company.save()
    vies.knows(numbers={VAT_ID: {"answer": "valid", "name": "DURAND", "address": "1 RUE\n75001 PARIS"}})
    customer = french(company)
    assert state(customer) == "pending"
    assert carry_out(company).done == 1
    assert state(customer) == "valid"
    [check] = checks(customer)
    assert (check.answer, check.name, check.address) == ("valid", "DURAND", "1 RUE\n75001 PARIS")
    assert check.proof == "WAPIAAAA00000001"
    assert vies.asked() == [
        {
            "countryCode": "FR",
            "vatNumber": "40303265045",
            "requesterMemberStateCode": "DE",
            "requesterNumber": "136695976",
        }
    ]


def test_an_invalid_one_is_invalid(company, vies):
    vies.knows(numbers={VAT_ID: {"answer": "invalid"}})
    customer = french(company)
    carry_out(company)
    assert (state(customer), checks(customer)[0].name) == ("invalid", "")


@pytest.mark.parametrize("code", ["MS_UNAVAILABLE", "MS_MAX_CONCURRENT_REQ", "SERVICE_UNAVAILABLE", "TIMEOUT"])
def test_a_service_that_is_down_leaves_it_pending(company, vies, code):
    vies.knows(countries={"FR": code})
    customer = french(company)
    assert carry_out(company).done == 1
    [check] = checks(customer)
    assert (state(customer), check.answer, check.detail) == ("pending", "unavailable", code)


def test_a_slow_service_is_no_answer(company, vies, monkeypatch):
    from customers.services import vies as client

    monkeypatch.setattr(client, "SECONDS", 1)
    vies.knows(numbers={VAT_ID: {"answer": "slow"}})
    customer = french(company)
    begun = time.monotonic()
    carry_out(company)
    assert time.monotonic() - begun < 10
    assert (state(customer), checks(customer)[0].answer) == ("pending", "unavailable")


def test_nobody_there_is_no_answer(company, settings):
    settings.VIES_URL = f"http://127.0.0.1:{processes.free_port()}"
    customer = french(company)
    carry_out(company)
    assert (state(customer), checks(customer)[0].answer) == ("pending", "unavailable")


def test_pending_ones_are_asked_again_after_an_hour_and_not_before(company, vies):
    from customers.services import vat_ids

    vies.knows(countries={"FR": "MS_UNAVAILABLE"})
    customer = french(company)
    carry_out(company)
    [check] = checks(customer)
    assert vat_ids.ask_due(company, check.asked_at + timedelta(minutes=59)) == {}
    vies.knows()
    assert vat_ids.ask_due(company, check.asked_at + timedelta(hours=1, seconds=1)) == {"asked": 1}
    carry_out(company)
    assert (state(customer), [check.answer for check in checks(customer)]) == ("valid", ["unavailable", "valid"])


def test_a_valid_answer_is_renewed_after_sixty_days(company, vies):
    from customers.services import vat_ids

    french(company, vat_state="valid")
    carry_out(company)
    assert vies.asked() == []
    assert vat_ids.ask_due(company, AT + timedelta(days=59)) == {}
    assert vat_ids.ask_due(company, AT + timedelta(days=60)) == {"asked": 1}


@pytest.mark.parametrize(("age", "expected"), [(89, "valid"), (90, "pending")])
def test_a_state_outlives_a_service_that_is_down_for_ninety_days(company, vies, age, expected):
    from customers.services import vat_ids

    customer = french(company, vat_state="valid")
    vat_ids.keep(customer=customer, vat_id=VAT_ID, answer=None, detail="TIMEOUT", at=AT + timedelta(days=age))
    assert state(customer) == expected


def test_the_answer_about_a_former_id_changes_no_state(company, vies):
    from customers.services import customers, vat_ids
    from customers.services.vies import Answer

    customer = french(company)
    customers.update_customer(customer=customer, changes={"vat_id": OTHER}, by=BY, at=AT)
    vat_ids.keep(customer=customer, vat_id=VAT_ID, answer=Answer(True, "", "", ""), at=AT)
    assert state(customer) == "pending"


def test_asking_twice_is_one_question(company, vies):
    from core.models import Outbox
    from customers.services import vat_ids

    customer = french(company)
    vat_ids.check(customer=customer, by=BY, at=AT)
    assert Outbox.objects.filter(kind="vat_check").count() == 1


def test_a_test_company_never_asks_the_real_service(company, vies, settings):
    from customers.services import vat_ids

    company.is_live, company.clock_at = False, AT
    company.save()
    customer = french(company)
    with pytest.raises(Refused, match=r"vat_check\.no_service"):
        vat_ids.check(customer=customer, by=BY, at=AT)
    settings.TEST_VIES_URL = vies.url
    vat_ids.check(customer=customer, by=BY, at=AT)
    carry_out(company)
    assert state(customer) == "valid"


@pytest.mark.parametrize(("vat_id", "code"), [("", "vat_check.no_id"), ("CHE123456788", "vat_check.not_eu")])
def test_only_ids_of_member_states_can_be_asked_about(company, vies, vat_id, code):
    from customers.services import vat_ids

    with pytest.raises(Refused, match=code.replace(".", r"\.")):
        vat_ids.check(customer=french(company, vat_id=vat_id), by=BY, at=AT)


@pytest.mark.parametrize(
    ("country", "good", "bad"),
    [
        ("AT", "ATU13585627", "ATU13585626"),
        ("BE", "BE0403019261", "BE0403019262"),
        ("DE", "DE136695976", "DE136695975"),
        ("DK", "DK13585628", "DK13585627"),
        ("EL", "EL094259216", "EL094259217"),
        ("ES", "ESA13585625", "ESA13585626"),
        ("FR", "FR40303265045", "FR40303265046"),
        ("IT", "IT00743110157", "IT00743110158"),
        ("NL", "NL004495445B01", "NL004495446B01"),
        ("PL", "PL8567346215", "PL8567346216"),
        ("PT", "PT501964843", "PT501964842"),
        ("SE", "SE123456789701", "SE123456789601"),
    ],
)
def test_the_form_of_an_id_is_checked_to_the_last_digit_offline(country, good, bad):
    from customers.services import fields

    assert fields.vat_id(good) == good
    with pytest.raises(Refused, match=r"customer\.vat_id_form"):
        fields.vat_id(bad)
