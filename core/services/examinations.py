"""What the doctor looks at in the ground floor: settings, clock, durability, Redis, what waits, what is stuck."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta

import redis
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import clock
from core.models import Company, Job, Outbox, TickRun
from core.sealing import SealedField, opens
from core.services import ticks
from core.services.doctoring import Finding, Level, examination

#: More than this between PostgreSQL's clock and ours, and leases end too early or too late.
CLOCK_SKEW = timedelta(seconds=5)
#: An effect that could have been carried out and wasn't for so long: no relay is at work.
LATE = timedelta(minutes=10)
#: A job that gave no sign of life for so long.
SILENT = timedelta(minutes=15)
LEAST_FREE = 1_000_000_000
#: Rows of a table whose sealed texts are tried.
SEALED_TRIED = 1000


@examination("settings", gettext_lazy("Settings"))
def deployment(at: datetime) -> Iterable[Finding]:
    """What Django's checks say, those of deployment too, and whether secrets are secret where a company is live."""
    live = Company.objects.filter(is_live=True).exists()
    found = checks.run_checks(include_deployment_checks=live, databases=["default"])
    for message in found:
        if message.is_silenced():
            continue
        level = Level.BROKEN if message.level >= checks.ERROR else Level.LOOK
        yield Finding(level, f"{message.id}: {message.msg}", message.hint or "")
    if live and settings.SECRET_KEY.startswith("not-for-production"):
        yield Finding(
            Level.BROKEN,
            _("A live company signs with the secret key that everybody knows."),
            _("Set TURNUS_SECRET_KEY to 50 random characters and TURNUS_INSECURE_KEY to 0."),
        )
    if live and not settings.KEY_RING:
        yield Finding(
            Level.LOOK,
            _("Bank accounts and providers' secrets are sealed with the secret key."),
            _("Set TURNUS_KEY_RING, so that the secret key can be changed on its own."),
        )
    if live and settings.SITE_URL.startswith("http://"):
        yield Finding(
            Level.LOOK,
            _("Links in mails lead to %(address)s, which is not encrypted.") % {"address": settings.SITE_URL},
            _("Set TURNUS_SITE_URL to the https address customers use."),
        )


@examination("seals", gettext_lazy("Sealed secrets"))
def seals(at: datetime) -> Iterable[Finding]:
    """What is sealed can be opened with the key ring; of large tables the newest rows are tried."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if not isinstance(field, SealedField):
                continue
            # Read as it stands, not through the field, which opens it.
            kept = model._base_manager.annotate(kept=Cast(field.name, TextField())).exclude(kept="").order_by("-pk")
            closed = sum(not opens(text) for text in kept.values_list("kept", flat=True)[:SEALED_TRIED])
            if closed:
                yield Finding(
                    Level.BROKEN,
                    _("%(count)d of %(name)s (%(field)s) can't be opened with the keys there are.")
                    % {"count": closed, "name": model._meta.verbose_name_plural, "field": field.verbose_name},
                    _("Put the key they were sealed with back into TURNUS_KEY_RING, behind the one that is first."),
                )


@examination("clock", gettext_lazy("Clock"))
def machine_clock(at: datetime) -> Iterable[Finding]:
    """This machine's clock and PostgreSQL's agree; nobody has shifted ours."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        theirs = cursor.fetchone()[0]
    skew = abs(clock.machine_now() - theirs)
    if os.environ.get("TURNUS_CLOCK_OFFSET"):
        yield Finding(
            Level.BROKEN,
            _("TURNUS_CLOCK_OFFSET shifts the clock of this process."),
            _("It is for rehearsals: remove it and start again."),
        )
    elif skew > CLOCK_SKEW:
        yield Finding(
            Level.BROKEN,
            _("This machine's clock and the database's are %(seconds)d seconds apart.") % {"seconds": skew.seconds},
            _("Have both follow a time server."),
        )


@examination("disk", gettext_lazy("Disk"))
def disk(at: datetime) -> Iterable[Finding]:
    """Room for logs and caught mail here; PostgreSQL's disk is the database's own matter."""
    folder = settings.RUN_DIR if settings.RUN_DIR.exists() else settings.BASE_DIR
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        yield Finding(
            Level.BROKEN,
            _("Only %(megabytes)d MB are free where %(folder)s lies.")
            % {"megabytes": free // 1_000_000, "folder": folder},
            _("Make room: PostgreSQL stops taking anything when its disk is full."),
        )


@examination("redis", gettext_lazy("Redis or Valkey"))
def broker(at: datetime) -> Iterable[Finding]:
    """It answers. Nothing is lost while it doesn't: ticks make up for lost calls once it is back."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        yield Finding(
            Level.BROKEN,
            _("It doesn't answer: %(error)s") % {"error": str(error)[:200]},
            _("Start it, or correct REDIS_URL. Workers do nothing until it is there; nothing is lost."),
        )


@examination("outbox", gettext_lazy("Effects on the outside"))
def effects(at: datetime) -> Iterable[Finding]:
    """No due effect waits long, none is dead."""
    late = Outbox.objects.filter(state=Outbox.State.WAITING, due_at__lt=at - LATE).count()
    if late:
        yield Finding(
            Level.BROKEN,
            _("%(count)d effects (mails, payments, deliveries) have waited for more than ten minutes.")
            % {"count": late},
            _("Start a relay: manage.py relay. Its log says what holds it up."),
        )
    dead = Outbox.objects.filter(state=Outbox.State.DEAD).count()
    if dead:
        yield Finding(
            Level.LOOK,
            _("%(count)d effects failed for good.") % {"count": dead},
            _("Settings → Outbox shows why and tries them again."),
        )


@examination("jobs", gettext_lazy("Jobs"))
def silent_jobs(at: datetime) -> Iterable[Finding]:
    """No open job has been silent for long."""
    open_jobs = Job.objects.filter(state__in=[Job.State.WAITING, Job.State.RUNNING])
    for job in open_jobs.select_related("company").order_by("pk")[:1000]:
        if at - (job.beat_at or job.created_at) > SILENT:
            yield Finding(
                Level.LOOK,
                _("Job %(job)s of %(company)s (%(kind)s) has given no sign of life for %(minutes)d minutes.")
                % {
                    "job": job.ref,
                    "company": job.company.slug,
                    "kind": job.kind,
                    "minutes": (at - (job.beat_at or job.created_at)).total_seconds() // 60,
                },
                _("A worker takes it up again by itself; where none is at work, start one: manage.py worker."),
            )


@examination("ticks", gettext_lazy("Timetable"))
def timetable(at: datetime) -> Iterable[Finding]:
    """Every question is asked of every live company in time, and none fails."""
    known = {tick.name: tick for tick in ticks.all_ticks()}
    last = {(run.company_id, run.name): run for run in TickRun.objects.filter(company__is_live=True)}
    for company in Company.objects.filter(is_live=True).order_by("pk"):
        never = [name for name in known if (company.pk, name) not in last]
        late = [
            name
            for name, tick in known.items()
            if (run := last.get((company.pk, name))) and at - run.ended_at > max(3 * tick.every, timedelta(minutes=5))
        ]
        if never or late:
            yield Finding(
                Level.BROKEN,
                _("%(company)s: not asked in time: %(names)s.")
                % {"company": company.slug, "names": ", ".join(sorted(never + late))},
                _("Start the timetable (python -m config.beat) and a worker (manage.py worker)."),
            )
        for name in known:
            run = last.get((company.pk, name))
            if run and "error" in run.outcome:
                yield Finding(
                    Level.BROKEN,
                    f"{company.slug}: {name}: {run.outcome['error']}"[:500],
                    _("It is tried again on its next turn. Where it goes on, look at the worker's log."),
                )
