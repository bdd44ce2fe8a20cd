"""How each kind of injection is carried out. Each says whether it struck: a fault nobody met does not count.

The rule that matters: what was broken is whole again when a strike ends; what the product makes of it is its
own affair.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from faults.hands import Hand, Running
from faults.machines import Machines
from faults.plan import DEED_OF, MACHINES, Injection
from faults.town import Town, is_alive, wait_for
from ops import postgres

FORTY_DAYS: Final = timedelta(days=40)
#: Where a night's first tick is struck.
NIGHT_POINTS: Final = ("moves.moved", "billing.lines", "billing.written")
#: Seconds a deed may take that was struck.
PATIENCE: Final = 60.0
#: Seconds a provider is silent: two or three charges stay without an answer, the next ones get theirs.
SILENT: Final = 12.0


class Strikes:
    """Carries injections out in one town, by its own dice."""

    def __init__(self, town: Town, hand: Hand, seed: int) -> None:
        self.town, self.hand = town, hand
        self.dice = random.Random(f"strikes {seed}")
        self.machines = Machines(town, hand, self.dice)

    def strike(self, injection: Injection, at: datetime) -> bool:
        """Carries one out at that instant; whether it struck."""
        kind = injection.kind
        if kind in MACHINES:
            machine: Callable[[Injection, datetime], bool] = getattr(self.machines, kind)
            return machine(injection, at)
        if kind == "kill":
            return self._killed(injection, at)
        if injection.point:
            return self._held(injection, at)
        act: Callable[[datetime], bool] = getattr(self, f"_{kind}")
        return act(at)

    # At a point

    def _killed(self, one: Injection, at: datetime) -> bool:
        running = self.hand.begin(DEED_OF[one.point], at=at, arm=f"{one.point}@{one.number}!kill", **one.given)
        return self._ended(running) == -signal.SIGKILL

    def _held(self, one: Injection, at: datetime) -> bool:
        """The process waits at its point while its surroundings are struck, and then goes on."""
        file = self.town.folder / f"held-{self.hand.count}"
        running = self.hand.begin(DEED_OF[one.point], at=at, arm=f"{one.point}@{one.number}!wait:{file}", **one.given)
        if not wait_for(file, PATIENCE, lambda: is_alive(running.pid)):
            self._ended(running)
            return False
        with self._around(one.kind, at):
            file.unlink()
            running.wait(SILENT if one.kind == "provider_silent" else PATIENCE)
        self._ended(running)
        return True

    @contextmanager
    def _around(self, kind: str, at: datetime) -> Iterator[None]:
        town = self.town
        match kind:
            case "other_relay":
                self.hand.do("relay", at=at)
                yield
            case "other_payer":
                other = self.hand.begin("people_pay", at=at)
                self._waits(other)
                yield
                self._ended(other)
            case "postgres":
                town.kill("postgres")
                town.begin("postgres")
                yield
            case "cut":
                postgres.run_sql(
                    town.cluster,
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
                )
                yield
            case "valkey_killed":
                town.kill("valkey")
                yield
                town.begin("valkey")
            case "valkey_flushed":
                town.flush_valkey()
                yield
            case "provider_gone":
                town.kill("providers")
                yield
                town.begin("providers")
            case "provider_silent":
                town.signal("providers", signal.SIGSTOP)
                try:
                    yield
                finally:
                    town.signal("providers", signal.SIGCONT)
            case "disk_full":
                with full_disk(town):
                    yield
                self._stands("postgres")
            case _:
                raise LookupError(kind)

    # At random

    def _at_random(self, deed: str, at: datetime) -> bool:
        running = self.hand.begin(deed, at=at)
        time.sleep(self.dice.uniform(0.01, 1.0))
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        return self._ended(running) == -signal.SIGKILL

    def _ticks_killed_at_random(self, at: datetime) -> bool:
        return self._at_random("ticks_without_end", at)

    def _relay_killed_at_random(self, at: datetime) -> bool:
        return self._at_random("relay_without_end", at)

    def _postgres_killed_at_random(self, at: datetime) -> bool:
        both = [self.hand.begin("tick", at=at), self.hand.begin("relay", at=at)]
        time.sleep(self.dice.uniform(0.05, 0.8))
        self.town.kill("postgres")
        self.town.begin("postgres")
        for running in both:
            self._ended(running)
        return True

    def _three_beats(self, at: datetime) -> bool:
        crowd = [self.hand.begin(deed, at=at) for deed in ("tick", "tick", "tick", "relay", "relay")]
        for running in crowd:
            self._ended(running)
        return True

    def _two_relays(self, at: datetime) -> bool:
        crowd = [self.hand.begin("relay", at=at) for _ in range(3)]
        for running in crowd:
            self._ended(running)
        return True

    def _three_payers(self, at: datetime) -> bool:
        crowd = [self.hand.begin("people_pay", at=at) for _ in range(3)]
        for running in crowd:
            running.wait(PATIENCE)
        paid = sum(int(running.out.read_text()) for running in crowd if running.out.exists())
        return paid > 0

    def _days_twice(self, at: datetime) -> bool:
        """Whatever bug it may be: days that are billed are written once more. The database refuses it."""
        self.hand.do("tick", at=at)
        if not self.hand.read("sql", text="SELECT 1 FROM billing_billeddays LIMIT 1"):
            return False
        self.hand.do(
            "sql", at=at,
            text="INSERT INTO billing_billeddays (company_id, slot_id, component, days, line_id, kind) SELECT "
            "company_id, slot_id, component, days, line_id, kind FROM billing_billeddays ORDER BY id LIMIT 1",
        )  # fmt: skip
        return True

    def _debtor_pays(self, at: datetime) -> bool:
        """Somebody who is asked for money today pays it before anything else is done."""
        self._cases_are_open(at)
        return bool(self.hand.read("debtor_pays", at=at))

    def _cases_are_open(self, at: datetime) -> None:
        """Three days ago it was seen who is late; what is to be done about it falls due today."""
        self.hand.do("tick", at=at - timedelta(days=3), name="billing.dunning")

    def _debtor_pays_meanwhile(self, at: datetime) -> bool:
        """The same person pays while dunning is under way: it has read what is open, and waits for the customer."""
        self._cases_are_open(at)
        file = self.town.folder / f"held-{self.hand.count}"
        payer = self.hand.begin("debtor_pays", at=at, arm=f"payment.recorded@1!wait:{file}")
        if not wait_for(file, PATIENCE, lambda: is_alive(payer.pid)):
            self._ended(payer)
            return False
        dunning = self.hand.begin("tick", at=at, name="billing.dunning")
        waited = self._waits(dunning)
        file.unlink()
        for running in (payer, dunning):
            self._ended(running)
        return waited

    # The clock

    def _clock_plus_hour(self, at: datetime) -> bool:
        return self._asked(at + timedelta(hours=1))

    def _clock_minus_hour(self, at: datetime) -> bool:
        return self._asked(at - timedelta(hours=1))

    def night(self, at: datetime) -> bool:
        """Around the hour that the local clock skips or has twice: asked every half hour, and struck in its midst."""
        looks = [at + timedelta(minutes=30 * step) for step in range(-2, 3)]
        struck = self._killed(Injection("kill", self.dice.choice(NIGHT_POINTS)), looks[0])
        for look in looks:
            self._asked(look)
        return struck

    def _asked(self, at: datetime) -> bool:
        for deed in ("tick", "relay"):
            self.hand.do(deed, at=at)
        return True

    def _clock_plus_40_days(self, at: datetime) -> bool:
        """A machine whose own clock is far ahead of the database's asks what is due, beside one whose is right."""
        wrong = self.hand.begin("tick", at=at, error=FORTY_DAYS)
        right = self.hand.begin("tick", at=at)
        self._ended(right)
        return self._ended(wrong) == 1

    def _relay_plus_40_days(self, at: datetime) -> bool:
        """A relay whose clock is far ahead of the database's, beside one whose clock is right: every lease would look
        ended to it."""
        right, wrong = self.hand.begin("relay", at=at), self.hand.begin("relay", at=at, error=FORTY_DAYS)
        self._ended(right)
        return self._ended(wrong) == 1

    def _provider_mute(self, at: datetime) -> bool:
        """The provider takes the money and its answer is lost."""
        before = self.town.control("faults")["spent"]["reset_after"]
        self.town.control("faults", {"seed": 1, "rules": [{"kind": "reset_after", "operation": "payment_intents.*",
                                                           "quota": 2}]})  # fmt: skip
        self.hand.do("tick", at=at)
        spent: int = self.town.control("faults")["spent"]["reset_after"]
        self.town.control("faults", {"seed": 1, "rules": []})
        return spent > 0 or before > spent

    # Poison

    def _poison_effect(self, at: datetime) -> bool:
        """An effect that no handler can carry out stands before all others; then a person gives it up."""
        found = self.hand.read(
            "sql", at=at,
            text="INSERT INTO core_outbox (company_id, kind, key, payload, state, attempts, due_at, lease_by, "
            "last_error, created_at) SELECT id, 'mail', 'poison-' || %s, '{\"message\": 0}', 'waiting', 0, "
            "'2000-01-01', '', '', '2000-01-01' FROM core_company WHERE slug = 'faults' RETURNING id",
            values=[str(self.hand.count)],
        )  # fmt: skip
        self.hand.do("relay", at=at)
        self.hand.read("sql", text="DELETE FROM core_outbox WHERE id = %s", values=[found[0][0]])
        return True

    def _poison_row(self, at: datetime) -> bool:
        """What is agreed with somebody who is billed today can't be read; the others are billed; then it is mended."""
        found = self.hand.read(
            "sql", at=at,
            text="UPDATE subscriptions_slotterms t SET model = 'graduated', details = '{\"tiers\": \"none\"}' "
            "FROM subscriptions_slot s JOIN subscriptions_subscription u ON u.id = s.subscription_id "
            "WHERE s.id = t.slot_id AND u.state = 'active' AND u.next_bill_on <= %s AND t.model = 'per_unit' "
            "AND t.id = (SELECT min(x.id) FROM subscriptions_slotterms x JOIN subscriptions_slot y ON y.id = x.slot_id "
            "JOIN subscriptions_subscription z ON z.id = y.subscription_id WHERE z.state = 'active' "
            "AND z.next_bill_on <= %s) RETURNING t.id",
            values=[str(at.date()), str(at.date())],
        )  # fmt: skip
        if not found:
            return False
        self.hand.do("tick", at=at)
        self.hand.read(
            "sql", text="UPDATE subscriptions_slotterms SET model = 'per_unit', details = '{}' WHERE id = %s",
            values=[found[0][0]],
        )  # fmt: skip
        self.hand.do("tick", at=at + timedelta(minutes=1))
        return True

    # Other people's servers

    def _network_cut(self, at: datetime) -> bool:
        """No way out of the house: nobody's mail server, sink or provider answers, nor does Valkey."""
        gone = ("smtp", "hooks", "providers", "valkey")
        for name in gone:
            self.town.kill(name)
        for deed in ("tick", "relay"):
            self.hand.do(deed, at=at)
        for name in gone:
            self.town.begin(name)
        return True

    def _smtp_refuses(self, at: datetime) -> bool:
        self.town.kill("smtp")
        self.hand.do("relay", at=at)
        self.town.begin("smtp")
        return True

    def _smtp_refuses_then_flushed(self, at: datetime) -> bool:
        """While mails wait for their next try, Valkey forgets all it knew."""
        self._smtp_refuses(at)
        waits = self.hand.read(
            "sql", text="SELECT 1 FROM core_outbox WHERE kind = 'mail' AND state = 'waiting' AND attempts > 0"
        )
        self.town.flush_valkey()
        return bool(waits)

    def _smtp_hangs(self, at: datetime) -> bool:
        self.town.signal("smtp", signal.SIGSTOP)
        running = self.hand.begin("relay", at=at)
        time.sleep(2)
        self.town.signal("smtp", signal.SIGCONT)
        self._ended(running)
        return True

    def _smtp_drops(self, at: datetime) -> bool:
        """The server dies between having kept a mail and saying so, or in its midst."""
        seen = len(self.town.caught())
        running = self.hand.begin("relay", at=at)
        until = time.monotonic() + 20
        while len(list(self.town.mails.glob("*.eml"))) == seen and is_alive(running.pid) and time.monotonic() < until:
            time.sleep(0.001)
        came = len(list(self.town.mails.glob("*.eml"))) > seen
        self.town.kill("smtp")
        self._ended(running)
        self.town.begin("smtp")
        return came

    def _hooks(self, way: str, at: datetime) -> bool:
        seen = len(self.town.hooked())
        self.town.hooks_answer(way)
        self.hand.do("relay", at=at)
        self.town.hooks_answer("ok")
        return len(self.town.hooked()) > seen

    def _hooks_refuse(self, at: datetime) -> bool:
        return self._hooks("status/503", at)

    def _hooks_hang(self, at: datetime) -> bool:
        return self._hooks("hang/4", at)

    def _hooks_drop(self, at: datetime) -> bool:
        return self._hooks("drop", at)

    # In common

    def _waits(self, running: Running) -> bool:
        """Waits until a process waits for somebody else's lock, or is over; whether it waits."""
        until = time.monotonic() + PATIENCE / 2
        while is_alive(running.pid) and time.monotonic() < until:
            asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            if postgres.run_sql(self.town.cluster, asked) != "0":
                return True
            time.sleep(0.02)
        return False

    def _ended(self, running: Running) -> int:
        code = running.wait(PATIENCE)
        if code is None:
            running.kill()
            running.wait()
            code = 1
        running.out.unlink(missing_ok=True)
        return code

    def _stands(self, name: str) -> None:
        """A server that gave up because of what was done to it is started anew, as an init system would."""
        process = self.town.processes[name]
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.3)
        if process.poll() is not None:
            self.town.processes.pop(name)
        self.town.begin(name)


@contextmanager
def full_disk(town: Town) -> Iterator[None]:
    """Nothing is left of the disk that the database lies on."""
    ballast = town.cluster.data / "ballast"
    space = os.statvfs(town.cluster.data)
    left = space.f_bavail * space.f_frsize
    with contextlib.suppress(subprocess.CalledProcessError):
        subprocess.run(["fallocate", "-l", str(left), str(ballast)], check=True, capture_output=True)
    try:
        yield
    finally:
        ballast.unlink(missing_ok=True)
