"""The campaign in small: its plan is the seed's, its points are the product's, and an armed point strikes once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from core import fault_points
from faults import plan

ROOT = Path(__file__).parents[2]


def test_the_same_seed_plans_the_same_injections() -> None:
    assert [one.name for one in plan.planned(7)] == [one.name for one in plan.planned(7)]
    assert [one.name for one in plan.planned(7)] != [one.name for one in plan.planned(8)]


def test_a_whole_campaign_has_its_quota_of_each_kind_and_each_point() -> None:
    found = plan.planned(1)
    points = Counter(one.point for one in found if one.kind in plan.AT_POINTS)
    assert len(found) >= 176
    assert set(points) == set(fault_points.POINTS) - {"job.begun"}
    assert min(points.values()) >= 6
    assert {kind: Counter(one.kind for one in found)[kind] for kind in plan.OTHERS} == plan.OTHERS


def test_every_named_point_stands_at_one_place_in_the_product() -> None:
    seen: Counter[str] = Counter()
    for room in ("core", "customers", "subscriptions", "billing", "crm"):
        for path in (ROOT / room).rglob("*.py"):
            if path.name != "fault_points.py":
                seen.update(re.findall(r'^ +point\("([a-z.]+)"\)', path.read_text(), re.M))
    assert seen == Counter(dict.fromkeys(fault_points.POINTS, 1))


def test_a_point_that_is_not_armed_does_nothing_and_an_unknown_one_can_not_be_armed() -> None:
    fault_points.point("billing.lines")
    with pytest.raises(ValueError, match="no point"):
        fault_points.arm("billing.nowhere@1!kill")


def test_an_armed_point_strikes_at_its_pass_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_points, "PATIENCE", 0.0)
    file = tmp_path / "held"
    fault_points.arm(f"billing.lines@2!wait:{file}")
    fault_points.point("billing.lines")
    assert not file.exists()
    fault_points.point("billing.lines")
    assert file.exists()
    file.unlink()
    fault_points.point("billing.lines")
    assert not file.exists()
