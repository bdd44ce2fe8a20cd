"""A life at random: subscriptions start, change, pause, end, are billed, credited and paid, and every promise holds.

After each example the books are read as an auditor would read them. `HYPOTHESIS_PROFILE=deep` lives many more lives,
new ones each time, and reads the books after every act.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stories.business import Business

IS_DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"


class ReadAfterEveryAct(Business):
    """The same life, its books read after every act."""

    AUDITS_EACH = True


@pytest.mark.django_db
def test_every_promise_holds_whatever_happens() -> None:
    run_state_machine_as_test(
        ReadAfterEveryAct if IS_DEEP else Business,
        settings=settings(
            max_examples=settings.default.max_examples // 5,
            stateful_step_count=30 if IS_DEEP else 20,
            deadline=None,
            derandomize=not IS_DEEP,
            database=None,
            # A life that breaks a promise is told as it was: making it shorter takes minutes.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
