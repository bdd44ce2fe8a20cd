"""The campaign in small: its plan is the seed's, its points are the product's, and an armed point strikes once."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from core import fault_points
from faults import life, plan

ROOT = Path(__file__).parents[2]


def test_the_same_seed_plans_the_same_injections() -> None:
    assert [one.name for one in plan.planned(7)] == [one.name for one in plan.planned(7)]
    assert [one.name for one in plan.planned(7)] != [one.name for one in plan.planned(8)]


def test_a_whole_campaign_has_its_quota_of_each_kind_and_each_point() -> None:
    found = plan.planned(1)
    kinds = Counter(one.kind for one in found)
    assert len(found) >= plan.FEWEST
    wanted = {**plan.OTHERS, **plan.MACHINES}
    assert {kind: kinds[kind] for kind in wanted} == wanted
    points = Counter(one.point for one in found if one.kind in plan.AT_POINTS)
    for name, is_inside in fault_points.POINTS.items():
        if name not in {"job.begun", *plan.ELSEWHERE}:
            assert points[name] == (5 if is_inside else 4), name
    assert {one.point for one in found} - {""} == set(fault_points.POINTS) - plan.ELSEWHERE


def test_most_of_a_whole_campaign_strikes_inside_a_transaction() -> None:
    found = plan.planned(1)
    assert 2 * sum(fault_points.POINTS.get(one.point, False) for one in found) > len(found)


def test_a_campaign_in_small_has_at_least_one_of_each_kind() -> None:
    kinds = Counter(one.kind for one in plan.planned(1, 0.01))
    assert set(kinds) == {*plan.AT_POINTS, *plan.OTHERS, *plan.MACHINES}
    assert 3 * len(plan.planned(1, 0.01)) < 2 * len(plan.planned(1))


def test_both_nights_of_the_clock_are_days_on_which_the_machines_are_asked() -> None:
    calendar = life.days(13, 6)
    assert {date.fromisoformat(night) for night in plan.NIGHTS} <= set(calendar)
    assert calendar[0] == life.FIRST
    assert calendar == sorted(set(calendar))


def test_for_forty_days_nobody_asks_and_the_next_look_is_right_after() -> None:
    calendar = life.days(13, 6)
    first, last = life.STANDSTILL
    assert (last - first).days + 1 == 40
    assert [day for day in calendar if first <= day <= last] == []
    assert last + timedelta(days=1) in calendar


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
