"""A room knows only lower floors: in its imports, and in its foreign keys."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

from ops.places import ROOT

FLOORS = {
    "core": 2,
    "customers": 3,
    "catalog": 3,
    "subscriptions": 4,
    "billing": 5,
    "reporting": 6,
    "crm": 7,
    "api": 8,
    "backoffice": 8,
    "portal": 8,
}
OURS = [model for model in apps.get_models(include_auto_created=True) if model._meta.app_label in FLOORS]


def test_rooms_import_only_from_lower_floors() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_room_stands_on_a_floor() -> None:
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    named = {room.strip(" ()") for layer in layers for room in layer.split("|")}
    outside = {"ops", "standins", "tests", "benchmarks", "faults", "docs"}
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - outside
    assert rooms <= named


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_keys_point_to_the_same_room_or_a_lower_floor(model: type[models.Model]) -> None:
    own = model._meta.app_label
    for field in model._meta.get_fields():
        if not isinstance(field, models.ForeignKey | models.ManyToManyField):
            continue
        target = field.related_model._meta.app_label
        if target in FLOORS and target != own:
            assert FLOORS[target] < FLOORS[own], f"{model._meta.label}.{field.name} climbs to {target}"


@pytest.mark.parametrize("folder", ["ops", "standins"])
def test_what_runs_beside_the_rooms_imports_none_of_them(folder: str) -> None:
    rooms = {*FLOORS, "config", "pricing"}
    for path in sorted((ROOT / folder).rglob("*.py")):
        for name in imported(path):
            assert name.split(".")[0] not in rooms, f"{path} imports {name}"


def test_the_launcher_needs_only_the_standard_library() -> None:
    """So that it runs before anything is installed; the lint of the other files alone needs more, inside a function."""
    for path in sorted((ROOT / "ops").rglob("*.py")):
        allowed = {"jsonschema", "yaml"} if path.name == "lint.py" else set()
        foreign = {name.split(".")[0] for name in imported(path)} - set(sys.stdlib_module_names) - {"", "__future__"}
        assert foreign <= allowed, path


def imported(path: Path) -> list[str]:
    """The absolute names a module imports, anywhere in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
    return names
