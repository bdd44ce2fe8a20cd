"""Every string a person reads stands in five languages, whole, with the same placeholders, and compiled."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polib
import pytest

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ["de", "fr", "it", "es"]
ROOMS = ["pricing", "core", "catalog", "customers", "subscriptions", "billing", "reporting", "crm", "portal",
         "backoffice", "api", "demo"]  # fmt: skip
PLACEHOLDER = re.compile(r"%\([a-z_]+\)[sd]|\{[a-z_]*\}|%%")


def catalog(language: str) -> polib.POFile:
    return polib.pofile(str(ROOT / "locale" / language / "LC_MESSAGES" / "django.po"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_string_lacks_its_translation(language: str) -> None:
    missing = [entry.msgid for entry in catalog(language) if not entry.obsolete and not entry.translated()]
    assert missing == []


def test_words_are_asked_for_by_names_that_are_collected() -> None:
    """`makemessages` knows `_` and the functions' own names; behind another name a string is never translated."""
    renamed = re.compile(r"import (?:\w+, )*\w*gettext\w* as (?!_$)\w+", re.MULTILINE)
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert [str(path.relative_to(ROOT)) for path in files if renamed.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_their_placeholders(language: str) -> None:
    wrong = []
    for entry in catalog(language).translated_entries():
        texts = entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]
        wanted = {frozenset(PLACEHOLDER.findall(text)) for text in (entry.msgid, entry.msgid_plural) if text}
        wrong += [entry.msgid for text in texts if frozenset(PLACEHOLDER.findall(text)) not in wanted]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    compiled = polib.mofile(str(ROOT / "locale" / language / "LC_MESSAGES" / "django.mo"))
    assert texts(compiled) == texts(catalog(language).translated_entries())


def texts(entries: Iterable[Any]) -> dict[tuple[str | None, str], str]:
    """By context and original; the plurals left out."""
    return {(entry.msgctxt, entry.msgid): entry.msgstr for entry in entries if not entry.msgid_plural}


@pytest.mark.skipif(not shutil.which("xgettext"), reason="collecting strings needs gettext")
def test_no_string_of_the_code_is_missing_from_the_catalogs(tmp_path: Path) -> None:
    """Collects anew into an empty catalog and compares; the working tree is not touched."""
    kept = subprocess.run(
        ["git", "ls-files", "*.py", "*.html", "*.txt", "*.csv"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in kept.stdout.split():
        if name.startswith(("tests/", "docs/", "assets/", "benchmarks/")) or not (ROOT / name).exists():
            continue
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    (tmp_path / "locale").mkdir(exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "django", "makemessages", "--locale=de", "--no-location", "--no-wrap"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    found = polib.pofile(str(tmp_path / "locale" / "de" / "LC_MESSAGES" / "django.po"))
    known = {(entry.msgctxt, entry.msgid) for entry in catalog("de")}
    assert sorted(entry.msgid for entry in found if (entry.msgctxt, entry.msgid) not in known) == []
