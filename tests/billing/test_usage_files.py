"""Usage as a CSV file, by command: the same function as for one event."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.models import AuditEntry
from core.refusal import Refused
from subscriptions.models import UsageEvent
from subscriptions.services import usage_files
from tests.factories import a_company
from tests.subscriptions.metering import a_meter, a_usage_item, a_user

pytestmark = pytest.mark.django_db
HEAD = "event_id,meter,note,subscription,at,value\n"


@pytest.fixture
def company() -> Any:
    company = a_company()
    a_user(company, a_usage_item(a_meter(company, code="calls")), external_id="tower")
    return company


def run(tmp_path: Path, company: Any, content: str, *more: str) -> tuple[str, int]:
    """What the command said, and how it ended."""
    file, out = tmp_path / "usage.csv", StringIO()
    file.write_text(content, encoding="utf-8-sig")
    try:
        call_command("import_usage", str(file), "--company", company.slug, *more, stdout=out)
    except SystemExit as end:
        return out.getvalue(), int(str(end.code))
    return out.getvalue(), 0


def test_a_file_is_counted_once(tmp_path, company):
    content = HEAD + "a,calls,x,tower,2026-01-01T08:00:00Z,5\nb,calls,,tower,2026-01-01T09:00:00+01:00,2.5\n"
    said, code = run(tmp_path, company, content)
    assert (code, UsageEvent.objects.count()) == (0, 2)
    assert "Counted:     2" in said
    assert "Known:       2" in run(tmp_path, company, content)[0]
    assert UsageEvent.objects.count() == 2
    assert AuditEntry.objects.filter(verb="usage.import").count() == 2


def test_a_bad_line_is_named_by_its_number_and_stops_nobody(tmp_path, company):
    content = HEAD + "a,calls,,tower,2026-01-01T08:00:00Z,5\nb,calls,,nobody,2026-01-01T08:00:00Z,5\n"
    said, code = run(tmp_path, company, content)
    assert code == 1
    assert "line 3: subscription: There is no subscription with this id." in said
    assert UsageEvent.objects.get().event_id == "a"


def test_a_dry_run_changes_nothing(tmp_path, company):
    said, code = run(tmp_path, company, HEAD + "a,calls,,tower,2026-01-01T08:00:00Z,5\n", "--dry-run")
    assert (code, UsageEvent.objects.count()) == (0, 0)
    assert "Dry run: nothing was changed." in said


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_come_in_any_order_and_separation(delimiter):
    content = "at,meter,value,event_id,subscription\n2026-01-01T08:00:00Z,calls,1,a,tower\n".replace(",", delimiter)
    assert usage_files.read(content.encode()) == [
        {"meter": "calls", "event_id": "a", "subscription": "tower", "at": "2026-01-01T08:00:00Z", "value": "1"}
    ]


def test_what_is_no_such_file_is_refused(tmp_path, company):
    for content, code in (
        (b"meter,at\n", "usage.file_columns"),
        (b"\xff\xfe", "usage.file_form"),
        (b"", "usage.file_columns"),
    ):
        with pytest.raises(Refused) as refused:
            usage_files.read(content)
        assert refused.value.code == code
    with pytest.raises(CommandError):
        run(tmp_path, company, "meter\n")
