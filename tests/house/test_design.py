"""What pages may not carry, what must be described, what must be readable, and that static/ is what assets/ builds."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from core.design.brand import contrast
from core.design.states import LOOKS

ROOT = Path(__file__).parents[2]
# Not all of the checkout is walked: servers may be making and removing their folders in it.
TEMPLATES = sorted({*ROOT.glob("templates/**/*.html"), *ROOT.glob("[!.]*/templates/**/*.html")})
#: Documents and the layout of mails carry their styles with them.
PAGES = [path for path in TEMPLATES if not {"pdf", "documents", "mail"} & set(path.parts)]
PARTS = sorted(path.stem for path in (ROOT / "templates" / "parts").glob("*.html"))
GUIDE = (ROOT / "docs" / "reference" / "design-system.md").read_text("utf-8")
TOKENS = (ROOT / "assets" / "css" / "tokens.css").read_text("utf-8")
PAIRS = {
    name: (day, night)
    for name, day, night in re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", TOKENS)
}
SPRITE = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static" / "icons.svg").read_text("utf-8")))

GROUNDS = ["ground", "canvas", "surface", "sunken", "raised", "hover", "selected"]
READ_ON = (
    [(text, ground) for text in ("ink", "ink-soft") for ground in GROUNDS]
    + [("ink-faint", ground) for ground in ("ground", "canvas", "surface", "sunken", "raised", "hover")]
    + [("accent", ground) for ground in ("ground", "canvas", "surface", "sunken", "accent-soft")]
    + [(tone, f"{tone}-soft") for tone in ("good", "warn", "bad", "info", "trial", "quiet")]
    + [("ink", f"{tone}-soft") for tone in ("good", "warn", "bad", "info", "trial", "quiet", "accent")]
    + [(tone, ground) for tone in ("good", "warn", "bad") for ground in ("canvas", "surface")]
    + [("on-accent", "accent-fill"), ("on-accent", "accent-fill-hover")]
    + [("on-bad", "bad-fill"), ("on-bad", "bad-fill-hover")]
)  # fmt: skip
SEEN_ON = [(f"series-{n}", "surface") for n in range(1, 7)] + [
    (line, ground) for line in ("line-input", "focus") for ground in ("canvas", "surface")
]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_carries_no_inline_style_or_script(path: Path) -> None:
    text = re.sub(r"{% comment %}.*?{% endcomment %}", "", path.read_text("utf-8"), flags=re.DOTALL)
    assert not re.findall(r"\sstyle\s*=", text)
    assert not re.findall(r"<style\b", text)
    assert not re.findall(r"\son[a-z]+\s*=", text)
    assert not re.findall(r"hx-on|javascript:", text)
    for tag in re.findall(r"<script\b[^>]*>", text):
        assert "src=" in tag or 'type="application/json"' in tag


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_described_with_an_example(part: str) -> None:
    section = re.search(rf"^### {part}\n(.*?)(?=^##)", GUIDE, flags=re.MULTILINE | re.DOTALL)
    assert section, f"docs/reference/design-system.md has no section on {part}"
    assert "```django" in section[1]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_opens_with_what_it_takes(part: str) -> None:
    assert (ROOT / "templates" / "parts" / f"{part}.html").read_text("utf-8").startswith("{% comment %}")


def test_the_guide_describes_no_part_that_is_gone() -> None:
    described = set(re.findall(r"^### (\w+)$", GUIDE, flags=re.MULTILINE))
    assert described == set(PARTS)


@pytest.mark.parametrize(("text", "ground"), READ_ON)
@pytest.mark.parametrize("scheme", [0, 1], ids=["day", "night"])
def test_text_is_readable_on_its_ground(text: str, ground: str, scheme: int) -> None:
    assert contrast(PAIRS[text][scheme], PAIRS[ground][scheme]) >= 4.5


@pytest.mark.parametrize(("shape", "ground"), SEEN_ON)
@pytest.mark.parametrize("scheme", [0, 1], ids=["day", "night"])
def test_shapes_stand_out_from_their_ground(shape: str, ground: str, scheme: int) -> None:
    assert contrast(PAIRS[shape][scheme], PAIRS[ground][scheme]) >= 3


def test_every_icon_named_in_a_template_is_in_the_sprite() -> None:
    named = {
        name
        for path in TEMPLATES
        for name in re.findall(r'{% icon (?:[\w.]+\|default:)?"([a-z0-9-]+)"', path.read_text("utf-8"))
    }
    assert named
    assert named <= SPRITE


def test_every_state_has_an_icon_in_the_sprite_and_a_tone_in_the_styles() -> None:
    styles = (ROOT / "assets" / "css" / "surfaces.css").read_text("utf-8")
    for state, look in LOOKS.items():
        assert look.icon in SPRITE, state
        assert look.tone == "quiet" or f".badge--{look.tone}" in styles, state


def test_fonts_and_borrowed_files_come_with_their_licence() -> None:
    for licence in ("fonts/OFL.txt", "vendor/htmx-LICENSE.txt", "vendor/lucide-LICENSE.txt"):
        assert (ROOT / "static" / licence).stat().st_size > 500


def test_the_lock_file_names_no_download_address() -> None:
    assert '"resolved"' not in (ROOT / "assets" / "package-lock.json").read_text("utf-8")


@pytest.mark.skipif(
    not (shutil.which("node") and (ROOT / "assets" / "node_modules" / "esbuild").exists()),
    reason="needs Node and npm ci in assets/",
)
def test_static_is_what_assets_build() -> None:
    check = subprocess.run(["node", "build.mjs", "--check"], cwd=ROOT / "assets", capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
