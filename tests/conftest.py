"""The tests' servers, browser and order.

PostgreSQL is always real: the one in `DATABASE_URL`, else an embedded one started when the first test needs it.
`tests/pricing` runs first and needs none. With `-n` each worker has a database and a broker's shelf of its own; the
servers are then started and ended by the process that hands out the tests.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from ops import environment, places, postgres, processes, servers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

_GIVEN = {name: os.environ.get(name) for name in ("DATABASE_URL", "REDIS_URL")}
# Only the addresses; nothing is started yet. Settings read them when Django is set up, after this module.
os.environ.update(servers.variables(places.state_folder(), servers.TEST))
#: Which of several processes that share the tests this is, from 0; None: the only one, or the one that hands them out.
WORKER = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")) if "PYTEST_XDIST_WORKER" in os.environ else None
if WORKER is not None:
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].replace("db=0", f"db={WORKER + 1}")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ["TURNUS_STRICT_EVENTS"] = "1"
os.environ["TURNUS_VIES_URL"] = ""  # no test asks the real service

settings.register_profile(
    "ci",
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile("deep", settings.get_profile("ci"), max_examples=5000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

ROOMS = ("pricing", "house", "ops", "core", "catalog", "customers", "subscriptions", "billing", "reporting", "crm")
HERE = Path(__file__).parent
DEMO = HERE / "demo"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_configure() -> None:
    """Apps are loaded before test modules are: the settings were named above, after pytest-django looked for them."""
    import django

    django.setup()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lower floors first, pricing before everything; browser tests last.

    Where processes share the tests, each takes whole files, those with slow tests first, so that none is left over
    when the others are done; the demo's story is told in one process only.
    """

    def floor(item: pytest.Item) -> int:
        room = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
        if item.get_closest_marker("browser"):
            return len(ROOMS) + 2
        return ROOMS.index(room) if room in ROOMS else len(ROOMS) + 1

    items.sort(key=floor)
    if WORKER is None:
        return
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    slow |= {item.path for item in items if item.path.parent == DEMO}
    items.sort(key=lambda item: item.path not in slow)


class ByFile(LoadFileScheduling):
    """Each process takes whole files; those of the demo go to one, as its story is told once."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "tests/demo" if file.startswith("tests/demo/") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


@contextlib.contextmanager
def _servers() -> Iterator[None]:
    state = places.state_folder()
    hidden = {name: os.environ.pop(name) for name, given in _GIVEN.items() if not given}
    try:
        started = servers.start(state, servers.TEST, dies_with_us=True)
    finally:
        os.environ.update(hidden)
    yield
    if "postgres" in started:
        here = postgres.cluster(state, servers.TEST, durable=False)
        others = postgres.run_sql(
            here,
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            f" AND datname <> '{os.environ.get('TURNUS_TEST_DB', 'test_turnus')}'",
        )
        if others != "0":
            return
    servers.end(started)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Where others run the tests, their servers live as long as this process."""
    with _servers() if session.config.getoption("numprocesses", None) else contextlib.nullcontext():
        return (yield)


@pytest.fixture(scope="session")
def embedded_servers() -> Iterator[None]:
    """The embedded servers, running; those that this session started end with it, unless others use them."""
    with _servers() if WORKER is None else contextlib.nullcontext():
        yield


@cache
def _migrated() -> str:
    """The name of the database that holds what the migrations of this tree make, and nothing else.

    Asked once: a migration that is edited while tests run must not give its name to a database made before.
    """
    from importlib.metadata import version

    told = hashlib.sha256(version("django").encode())
    for path in sorted(HERE.parent.glob("*/migrations/*.py")):
        told.update(path.relative_to(HERE.parent).as_posix().encode() + path.read_bytes())
    return f"migrated_{told.hexdigest()[:16]}"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    embedded_servers: None, django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: Any
) -> None:
    """Have the servers running before pytest-django makes the test database: a copy of one with the same migrations."""
    from django.db import connection

    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_migrated()])
        if cursor.fetchone():
            connection.settings_dict["TEST"]["TEMPLATE"] = _migrated()


@pytest.fixture(scope="session", autouse=True)
def migrated_once(request: pytest.FixtureRequest) -> None:
    """Keep a migrated database, still empty, for those to come: it takes ten seconds to make and one to copy."""
    if not _wants_database(request):
        return
    request.getfixturevalue("django_db_setup")
    if request.getfixturevalue("django_db_keepdb") and not request.getfixturevalue("django_db_createdb"):
        return
    from django.db import DatabaseError, connection, connections

    source = connection.settings_dict["NAME"]
    with request.getfixturevalue("django_db_blocker").unblock():
        connections.close_all()
        with connection._nodb_cursor() as cursor:
            cursor.execute("SELECT oid, datname FROM pg_database WHERE datname ~ '^migrated_' ORDER BY oid")
            kept = [name for _oid, name in cursor.fetchall()]
            if _migrated() in kept:
                return
            with contextlib.suppress(DatabaseError):  # somebody else makes it just now
                for name in kept[:-3]:
                    cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
                cursor.execute(f'CREATE DATABASE "{_migrated()}" TEMPLATE "{source}"')


def _wants_database(request: pytest.FixtureRequest) -> bool:
    return any(
        "django_db_setup" in getattr(item, "fixturenames", ()) or item.get_closest_marker("django_db")
        for item in request.session.items
    )


@pytest.fixture(scope="session", autouse=True)
def tables_that_are_frozen_can_be_emptied_between_tests() -> Iterator[None]:
    """Tests with real transactions end with TRUNCATE, which the frozen tables refuse to anyone else.

    It waits for answers that a page which is closed by now still asked for: each would hold what the other needs.
    """
    from django.db.backends.postgresql.operations import DatabaseOperations

    flush = DatabaseOperations.execute_sql_flush

    def others_are_done(self: DatabaseOperations) -> bool:
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            )
            return bool(cursor.fetchone()[0] == 0)

    def flush_past_triggers(self: DatabaseOperations, sql_list: list[str]) -> None:
        processes.wait_until(lambda: others_are_done(self), 10)
        quiet = ["SET session_replication_role = replica", *sql_list, "RESET session_replication_role"]
        flush(self, quiet)

    DatabaseOperations.execute_sql_flush = flush_past_triggers  # type: ignore[method-assign]
    yield
    DatabaseOperations.execute_sql_flush = flush  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for the session: `TURNUS_CHROMIUM`, Debian's, or Playwright's own."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=45_000)
    # Playwright's synchronous interface keeps an event loop in this thread, which Django would take for async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    chosen = environment.find_browser()
    assert chosen, "no Chromium that starts; `make setup-dev` gets one"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chosen, args=CHROMIUM_FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def browser_context_options() -> dict[str, Any]:
    """What a fresh browser context starts with; a test module overrides it to look from another place.

    Colours change at once: half way from one to another they have no contrast to speak of.
    """
    return {
        "locale": "en-GB", "timezone_id": "Europe/Berlin", "viewport": {"width": 1280, "height": 800},
        "reduced_motion": "reduce",
    }  # fmt: skip


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: Browser, browser_context_options: dict[str, Any]) -> Iterator[Page]:
    """A page in a fresh context. Errors on the console (also refused inline script or style) fail the test."""
    context = browser.new_context(**browser_context_options)
    opened = context.new_page()
    opened.set_default_timeout(45_000)
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"{message.text} ({message.location.get('url', '')})")

    opened.on("console", hear)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    if not request.node.get_closest_marker("console_errors_expected"):
        assert complaints == []
