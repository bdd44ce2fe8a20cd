"""What other people's servers do to webhooks, and what they must not get us to do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection

from core import clock
from core.models import Company, Event, Outbox, WebhookDelivery, WebhookEndpoint, WebhookTry
from core.refusal import Refused
from core.services import webhook_addresses, webhook_requests, webhook_sending
from core.services.webhook_addresses import checked, is_public
from core.services.webhook_requests import send
from tests.core.hooking import Sink, a_sink, an_endpoint, happens, hooked


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with a_sink() as running:
        yield running


@pytest.fixture
def company(db: None, settings: Any) -> Company:
    settings.WEBHOOKS_TO_LOOPBACK = True
    return hooked()


def sent(url: str, company: Company, *, seconds: float = 15.0, **more: Any) -> webhook_requests.Outcome:
    return send(
        url=url, company=company, message_id="evt_1", body=b"{}", secrets=["whsec_" + "A" * 32],
        at=clock.machine_now(), seconds=seconds, **more,
    )  # fmt: skip


#: How the sink behaves: the status that is kept, and a word of the error.
FAULTS = {
    "status/400": (400, "HTTP 400"),
    "status/401": (401, "HTTP 401"),
    "status/404": (404, "HTTP 404"),
    "status/429": (429, "HTTP 429"),
    "status/500": (500, "HTTP 500"),
    "status/502": (502, "HTTP 502"),
    "gone": (410, "HTTP 410"),
    "later/30": (503, "HTTP 503"),
    "redirect": (302, "HTTP 302"),
    "status/304": (304, "HTTP 304"),
    "hang": (None, "no answer in time"),
    "drip": (None, "no answer in time"),
    "drop": (None, "RemoteDisconnected"),
    "half": (None, "BadStatusLine"),
    "garbage": (None, "BadStatusLine"),
    "endless": (None, "LineTooLong"),
    "headers": (None, "HTTPException"),
    "short": (500, "HTTP 500"),
    "dripbody": (500, "HTTP 500"),
    "long/500": (500, "HTTP 500"),
    "binary": (500, "HTTP 500"),
}


#: Seconds for those of them that only the time ends; the others get as many as a busy machine may want.
ENDLESS = {"hang": 2.0, "drip": 2.0, "dripbody": 5.0}


@pytest.mark.parametrize("way", FAULTS)
def test_a_fault_is_a_failure_within_the_time_and_is_named(company: Company, sink: Sink, way: str) -> None:
    begun = time.monotonic()
    outcome = sent(f"{sink.url}/{way}", company, seconds=ENDLESS.get(way, 15.0))
    assert time.monotonic() - begun < 10
    status, word = FAULTS[way]
    assert outcome.status == status
    assert word in outcome.error
    assert outcome.error
    assert len(outcome.answer) <= webhook_requests.ANSWER_BYTES
    assert not any(letter < " " and letter not in "\n\t" for letter in outcome.answer + outcome.error)
    assert not outcome.is_good


def test_a_closed_port_is_a_failure(company: Company) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert "ConnectionRefusedError" in sent(f"http://127.0.0.1:{port}/", company).error


def test_a_server_without_a_certificate_for_its_name_is_a_failure(company: Company, sink: Sink) -> None:
    outcome = sent(sink.url.replace("http://", "https://"), company)
    assert outcome.status is None
    assert "SSL" in outcome.error


@pytest.mark.parametrize("way", ["ok", "empty", "long/200", "slow/0.2"])
def test_any_2xx_is_good_whatever_it_says(company: Company, sink: Sink, way: str) -> None:
    assert sent(f"{sink.url}/{way}", company).is_good


def test_each_faulty_delivery_waits_for_its_next_try_or_is_dead_with_its_endpoint(company: Company, sink: Sink) -> None:
    for way in ("status/500", "drop", "garbage", "half", "gone"):
        an_endpoint(company, f"{sink.url}/{way}", "company.*")
    WebhookDelivery.objects.all().delete()
    happens(company)
    assert webhook_sending.send_due(worker="w") == webhook_sending.Sent(failed=4, dead=1)
    assert WebhookTry.objects.count() == 5
    rows = WebhookDelivery.objects.all()
    assert all(row.last_error for row in rows)
    assert sorted(row.state for row in rows) == ["dead", "waiting", "waiting", "waiting", "waiting"]


def test_an_answer_that_cant_be_kept_is_a_failure_and_stops_nobody(
    company: Company, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_endpoint(company, f"{sink.url}/ok", "company.*")
    WebhookDelivery.objects.all().delete()
    happens(company)
    poisoned = webhook_requests.Outcome(500, answer="a\x00b", error="HTTP 500")
    monkeypatch.setattr(webhook_sending, "deliver", lambda delivery, now: poisoned)
    assert webhook_sending.send_due(worker="w") == webhook_sending.Sent(failed=1)
    assert WebhookTry.objects.get().error in ("ValueError", "DataError")


# Addresses ------------------------------------------------------------------------------------------------------------

PRIVATE = (
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:a00:1::", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fe80::1%eth0", "fec0::1", "ff02::1", "nonsense",
)  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(company: Company, settings: Any, address: str) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = False
    assert not is_public(address)
    with pytest.raises(Refused) as refused:
        checked("https://hooks.example.com/in", company=company, resolve=lambda host, port: [address])
    assert refused.value.code == "webhook.url_private"


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::200e"])
def test_a_public_address_is_taken(company: Company, address: str) -> None:
    target = checked("https://hooks.example.com/in?a=b", company=company, resolve=lambda host, port: [address])
    assert (target.host, target.port, target.path, target.addresses) == (
        "hooks.example.com", 443, "/in?a=b", (address,),
    )  # fmt: skip


def test_one_private_address_among_public_ones_is_a_trap(company: Company) -> None:
    with pytest.raises(Refused, match=r"10\.0\.0\.1"):
        checked("https://x.example", company=company, resolve=lambda host, port: ["1.1.1.1", "10.0.0.1"])


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://x.example/", "webhook.url_form"),
        ("https://", "webhook.url_form"),
        ("https://user:word@x.example/", "webhook.url_form"),
        ("https://x.example/#part", "webhook.url_form"),
        ("https://x.example/ a", "webhook.url_form"),
        ("https://x.example/\r\nHost: y", "webhook.url_form"),
        ("https://müller.example/", "webhook.url_form"),
        ("https://x.example:99999/", "webhook.url_form"),
        ("https://x.example:22/", "webhook.url_port"),
        ("https://x.example:25/", "webhook.url_port"),
        ("https://[::1/", "webhook.url_form"),
        ("javascript:alert(1)", "webhook.url_form"),
        ("https://x.example/" + "a" * 500, "webhook.url_form"),
    ],
)
def test_an_address_of_another_form_is_refused(company: Company, url: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        checked(url, company=company, resolve=lambda host, port: ["1.1.1.1"])
    assert refused.value.code == code


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_under_any_name_is_refused(db: None, settings: Any, host: str) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = False
    with pytest.raises(Refused) as refused:
        checked(f"https://{host}:8443/", company=hooked())
    assert refused.value.code in ("webhook.url_private", "webhook.url_unknown")


def test_a_live_company_sends_over_https_and_never_to_this_machine(db: None, settings: Any) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = True
    live = Company.objects.create(
        name="L", slug="live", legal_name="L", country="DE", books_start_on=date(2026, 1, 1), is_live=True
    )
    with pytest.raises(Refused) as refused:
        checked("http://x.example/", company=live, resolve=lambda host, port: ["1.1.1.1"])
    assert refused.value.code == "webhook.url_https"
    with pytest.raises(Refused) as refused:
        checked("https://127.0.0.1:8443/", company=live)
    assert refused.value.code == "webhook.url_private"


def test_a_name_that_leads_inside_later_is_refused_at_the_try(company: Company, settings: Any) -> None:
    settings.WEBHOOKS_TO_LOOPBACK = False
    answers = iter((["93.184.215.14"], ["169.254.169.254"]))

    def resolve(host: str, port: int) -> Sequence[str]:
        return next(answers)

    endpoint = an_endpoint(company, "https://rebind.example/in", resolve=resolve)
    outcome = sent(endpoint.url, company, resolve=resolve)
    assert outcome.status is None
    assert outcome.error == "webhook.url_private: 169.254.169.254"


def test_the_connection_goes_to_the_very_address_that_was_checked(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is looked up once; what it says a moment later leads nowhere."""
    asked, connected = [], []

    def look_up(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["93.184.215.14"] if len(asked) == 1 else ["127.0.0.1"]

    def connect(address: tuple[str, int], timeout: float) -> Any:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(webhook_addresses, "look_up", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)
    sent("https://rebind.example/in", company)
    assert asked == ["rebind.example"]
    assert connected == [("93.184.215.14", 443)]


# Machines that die ----------------------------------------------------------------------------------------------------


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[Company]:
    """A company that other processes see; taken away by hand afterwards."""
    with django_db_blocker.unblock():
        company = hooked("hooked-committed")
        yield company
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")  # what is appended to goes, too
            for model in (WebhookTry, WebhookDelivery, WebhookEndpoint, Outbox, Event):
                cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE company_id = %s", [company.pk])
            cursor.execute("DELETE FROM core_auditentry WHERE company_id = %s", [company.pk])
            cursor.execute("DELETE FROM core_company WHERE id = %s", [company.pk])
            cursor.execute("SET session_replication_role = DEFAULT")
        connection.close()


def a_relay(*more: str) -> subprocess.Popen[str]:
    head, _slash, _name = os.environ["DATABASE_URL"].rpartition("/")
    environment = {
        **os.environ, "DATABASE_URL": f"{head}/{connection.settings_dict['NAME']}", "TURNUS_WEBHOOKS_TO_LOOPBACK": "1",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "manage.py", "relay", "--pause", "0.1", "--kinds", "webhooks", *more], env=environment,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def until(condition: Any, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_relays_killed_in_the_middle_lose_nothing_and_repeat_under_the_same_id(
    committed: Company, sink: Sink, settings: Any
) -> None:
    """Two relays are killed with requests under way that the sink has taken but not answered; two others go on."""
    settings.WEBHOOKS_TO_LOOPBACK = True
    sink._ask("DELETE", "/_seen")
    sink.behave("slow/30")
    for _ in range(3):
        an_endpoint(committed, f"{sink.url}/in", "company.*")
    WebhookDelivery.objects.filter(company=committed).delete()
    events = [happens(committed, n=n).ref for n in range(12)]
    killed = [a_relay(), a_relay()]
    until(lambda: len(sink.ids()) >= 6)
    for process in killed:
        process.send_signal(signal.SIGKILL)
        process.wait()
    under_way = WebhookDelivery.objects.filter(company=committed, lease_until__isnull=False)
    assert under_way.count() >= 6
    assert not WebhookTry.objects.filter(company=committed).exists()
    sink.behave("ok")
    # Their leases end; nobody has to notice that they are gone.
    under_way.update(lease_until=clock.machine_now() - timedelta(seconds=1))
    others = [a_relay(), a_relay()]
    try:
        rows = WebhookDelivery.objects.filter(company=committed)
        until(lambda: not rows.exclude(state="delivered").exists())
    finally:
        for process in others:
            process.kill()
            process.wait()
    got = sink.ids()
    assert rows.count() == 36
    assert set(got) == set(events)
    assert all(got.count(ref) >= 3 for ref in events)
    # Once for each endpoint, and once more for those that were under way.
    assert 6 <= len(got) - 36 <= 24
    assert set(rows.values_list("tries", flat=True)) == {1}


def test_relays_of_the_outbox_killed_in_the_middle_lose_nothing(committed: Company, tmp_path: Any) -> None:
    """The work writes its key down, then its process is killed before it can say that it is done."""
    noted = tmp_path / "noted"
    program = (
        "import os, signal, sys, django; django.setup()\n"
        "from core.services import outbox\n"
        "def work(row):\n"
        "    with open(sys.argv[1], 'a') as file: file.write(row.key + '\\n')\n"
        "    if sys.argv[2] == 'dies' and int(row.key) % 5 == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "outbox._handlers['kill-test'] = work\n"
        "from django.core.management import call_command\n"
        "call_command('relay', kinds='kill-test', until_empty=True, limit=4, worker=sys.argv[3])\n"
    )
    Outbox.objects.bulk_create(
        Outbox(company=committed, kind="kill-test", key=str(n), payload={}, due_at=clock.machine_now())
        for n in range(20)
    )
    head, _slash, _name = os.environ["DATABASE_URL"].rpartition("/")
    environment = {**os.environ, "DATABASE_URL": f"{head}/{connection.settings_dict['NAME']}"}

    def relay(way: str, name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", program, str(noted), way, name], env=environment)

    rows = Outbox.objects.filter(company=committed, kind="kill-test")
    dying = [relay("dies", f"dying-{n}") for n in range(3)]
    codes = [process.wait(timeout=120) for process in dying]
    assert -signal.SIGKILL in codes
    assert rows.filter(state="waiting", lease_until__isnull=False).exists()
    rows.filter(state="waiting").update(lease_until=clock.machine_now() - timedelta(seconds=1))
    living = [relay("lives", f"living-{n}") for n in range(2)]
    assert [process.wait(timeout=120) for process in living] == [0, 0]
    assert set(rows.values_list("state", flat=True)) == {"done"}
    assert sorted({int(line) for line in noted.read_text().split()}) == list(range(20))
    # Twice: only what was begun and not done when its relay was killed.
    assert len(noted.read_text().split()) == 20 + codes.count(-signal.SIGKILL)
