"""Reports read from the replica they are given, and nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.db import connection

from ops.places import ROOT
from tests.factories import TODAY, a_company, a_subscription

pytestmark = pytest.mark.django_db(transaction=True)

_STORY = """
import django; django.setup()
from datetime import date
from django.db import connections, InternalError
from core import replica
from core.models import Company
with replica.reading():
    company = Company.objects.get(slug="mirrored")
from reporting import asking, recovery, registry
asked = asking.asked_of(registry.named("mrr"), {}, today=date(2026, 1, 1))
told = registry.build(name="mrr", company=company, asked=asked)
print([one.value for one in told.figures if one.name == "mrr"])
print(recovery.cases(company, date(2026, 1, 1), date(2026, 1, 31)).opened)
print("written to" if connections["default"].connection else "untouched")
try:
    Company.objects.using("reports").update(name="other")
except InternalError as error:
    print("read only" if "read-only" in str(error) else error)
print(Company.objects.get(pk=company.pk)._state.db)
"""


def test_a_report_asks_the_replica_alone() -> None:
    a_subscription(a_company(slug="mirrored"), on=TODAY)
    found = connection.settings_dict
    url = f"postgresql://{found['USER']}@{found['HOST'].replace('/', '%2F')}:{found['PORT']}/{found['NAME']}"
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "TURNUS_REPORTS_URL": url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    told = subprocess.run(
        [sys.executable, "-c", _STORY], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == ["[1000]", "0", "untouched", "read only", "default"]
