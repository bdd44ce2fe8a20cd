"""What every file and every field owes its reader."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

from ops.lint import tracked
from ops.places import ROOT

LONGEST = 450
NO_NOUNS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "handler", "handlers"}
ROOMS = {
    "pricing",
    "core",
    "catalog",
    "customers",
    "subscriptions",
    "billing",
    "reporting",
    "crm",
    "api",
    "backoffice",
    "portal",
    "config",
    "ops",
    "standins",
}
MODULES = [
    path
    for path in sorted(tracked(ROOT))
    if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ROOMS and "migrations" not in path.parts
]
FIELDS = [
    (model, field)
    for model in apps.get_models()
    if model._meta.app_label in ROOMS
    for field in model._meta.get_fields()
    if isinstance(field, models.Field) and not field.auto_created
]


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_a_module_opens_with_what_lives_there(path: Path) -> None:
    content = path.read_text(encoding="utf-8")
    if path.name == "__init__.py" and not content.strip():
        return
    assert ast.get_docstring(ast.parse(content)), f"{short(path)} opens without a docstring"


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_a_module_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_a_module_is_named_after_what_it_is_about(path: Path) -> None:
    names = {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    assert not names & NO_NOUNS


@pytest.mark.parametrize(
    ("model", "field"), FIELDS, ids=lambda part: part.__name__ if isinstance(part, type) else part.name
)
def test_a_field_says_what_it_holds(model: type[models.Model], field: models.Field) -> None:
    if field.model is model and not from_django(model, field):
        assert str(field.help_text).strip(), f"{model._meta.label}.{field.name} has no help_text"


def from_django(model: type[models.Model], field: models.Field) -> bool:
    """Whether the field was declared by a base class of Django's own."""
    bases = [base for base in model.__mro__ if base.__module__.startswith("django.") and hasattr(base, "_meta")]
    return any(field.name == other.name for base in bases for other in base._meta.local_fields)
