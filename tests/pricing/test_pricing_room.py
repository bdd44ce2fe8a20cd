"""The room as a whole: its examples run, it imports nothing but the standard library, and its refusals carry codes."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import sys
from pathlib import Path

import pytest

import pricing

MODULES = sorted(f"pricing.{module.name}" for module in pkgutil.iter_modules(pricing.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_every_example_in_a_docstring_is_true(name: str) -> None:
    module = importlib.import_module(name)
    results = doctest.testmod(module, raise_on_error=False)
    assert results.failed == 0
    assert results.attempted > 0 or name == "pricing.errors"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_the_standard_library_only(name: str) -> None:
    source = Path(str(importlib.import_module(name).__file__)).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            roots = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots = {(node.module or "").split(".")[0]}
        else:
            continue
        assert roots <= {*sys.stdlib_module_names, "pricing"}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_never_asks_what_time_it_is(name: str) -> None:
    source = Path(str(importlib.import_module(name).__file__)).read_text(encoding="utf-8")
    assert not any(word in source for word in ("today()", "now()", "utcnow", "import time"))
