"""Templates are read by people: one tag a line where it grows long, and no line runs past the edge.

What cannot be broken may be longer when it stands alone on its line: a template tag (Django reads no tag over two
lines), a sentence that is translated whole, one attribute with its value.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 120
TAG = r"\{%(?:(?!%\}).)*%\}"
SENTENCE = r"\{% blocktranslate\b(?:(?!%\}).)*%\}(?:(?!\{% endblocktranslate).)*\{% endblocktranslate %\}"
VALUE = rf"(?:{TAG}|\{{\{{(?:(?!\}}\}}).)*\}}\}}"
ATTRIBUTE = rf"[\w:-]+=(?:\"{VALUE}|[^\"])*\"|'{VALUE}|[^'])*')/?>?"
ALONE = re.compile(f"{TAG}|{SENTENCE}|{ATTRIBUTE}")


def too_long(text: str) -> list[int]:
    """The numbers of the lines past the edge that could be broken, counted from 1."""
    return [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > WIDTH and not ALONE.fullmatch(line.strip())
    ]


def templates() -> list[Path]:
    kept = subprocess.run(["git", "ls-files", "*.html"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in kept.stdout.split() if (ROOT / name).exists()]


def test_no_line_of_a_template_runs_past_the_edge() -> None:
    pages = templates()
    assert len(pages) > 100
    assert [f"{page.relative_to(ROOT)}:{number}" for page in pages for number in too_long(page.read_text())] == []


@pytest.mark.parametrize(
    "line",
    [
        '{% translate "' + "word " * 30 + '" as text %}',
        "{% blocktranslate count n=n %}" + "one " * 20 + "{% plural %}" + "many " * 20 + "{% endblocktranslate %}",
        'class="button{% if tone == "' + "x" * 120 + '" %} on{% endif %}"',
        "content='{" + '"a":true,' * 20 + "}'>",
    ],
)
def test_what_cannot_be_broken_may_stand_alone(line: str) -> None:
    assert too_long(f"    {line}\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "<p>" + "word " * 30 + "</p>",
        '{% translate "' + "word " * 30 + '" %}{% translate "more" %}',
        '<p>{% translate "' + "word " * 30 + '" %}</p>',
        'class="' + "word " * 30 + '" id="second"',
    ],
)
def test_a_long_line_that_could_be_broken_is_found(line: str) -> None:
    assert too_long(f"short\n{line}\n") == [2]
