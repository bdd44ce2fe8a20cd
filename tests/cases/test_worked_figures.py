"""Worked cases of two public billing systems that are plain arithmetic: our functions give the figures.

Facts and figures from the test suites of Lago and Kill Bill (see `worked.json`); where our rule differs, ours stand
there, with the section of the billing rules that decides.
"""

from __future__ import annotations

from typing import Any

import pytest

from .arithmetic import FUNCTIONS, as_figure
from .worked import CASES

CALLS = [
    pytest.param(part, id=f"{case['id']}-{number}")
    for case in CASES
    for number, part in enumerate(case["parts"], 1)
    if "function" in part
]


@pytest.mark.parametrize("call", CALLS)
def test_the_arithmetic_gives_the_figures(call: dict[str, Any]) -> None:
    answer = FUNCTIONS[call["function"]](call["input"])
    assert as_figure(answer, call["expected"]) == call["expected"]
