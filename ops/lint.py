"""Checks of the files around the code: compose, Dockerfile, requirement files, addresses that don't belong.

Needs the development requirements. Nothing here asks the network.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

SERVICES = {"postgres", "valkey", "web", "worker", "beat", "relay", "mailcatcher"}
DOWNLOAD = re.compile(
    r"https?://[\w.-]+/[\w./-]+\.(?:whl|tgz|tar\.gz|deb|zip)\b|--(?:extra-)?index-url[ =]\S*://\S*|\bregistry\s*=\s*\S*://"
)
TEXT_LIMIT = 2_000_000


def check(root: Path) -> list[str]:
    """Every complaint about the tree at `root`, as a line with the file's name; empty when all is well."""
    return [
        *check_compose(root / "docker-compose.yml"),
        *check_dockerfile(root / "Dockerfile"),
        *(line for path in sorted((root / "requirements").glob("*.txt")) for line in check_requirements(path)),
        *check_addresses(root),
        *check_package_locks(root),
    ]


def check_compose(path: Path) -> list[str]:
    """The compose file against the specification's schema, and whether it has all our services."""
    import jsonschema
    import yaml

    schema = json.loads((Path(__file__).parent / "compose.schema.json").read_text())
    content: Any = yaml.safe_load(path.read_text())
    found = [
        f"{path.name}: {'/'.join(map(str, error.absolute_path)) or 'top'}: {error.message}"
        for error in jsonschema.Draft7Validator(schema).iter_errors(content)
    ]
    missing = SERVICES - set(content.get("services", {}))
    return found + [f"{path.name}: no service {name!r}" for name in sorted(missing)]


def check_dockerfile(path: Path) -> list[str]:
    """What hadolint says."""
    hadolint = Path(sys.executable).with_name("hadolint")
    said = subprocess.run([hadolint, "--no-color", str(path)], capture_output=True, text=True, check=False)
    lines = [line.replace(str(path), path.name) for line in (said.stdout + said.stderr).splitlines() if line]
    return lines if said.returncode != 0 else []


def check_requirements(path: Path) -> list[str]:
    """Every requirement has hashes; no file names an index or an address."""
    complaints = []
    text = path.read_text()
    for entry in re.split(r"\n(?=\S)", text.replace("\\\n", " ")):
        line = " ".join(part for part in entry.split("\n") if not part.strip().startswith("#")).strip()
        if line.startswith("-") or "://" in line:
            complaints.append(f"{path.name}: names an index or address: {line[:60]}")
        elif line and "--hash=sha256:" not in line:
            complaints.append(f"{path.name}: without a hash: {line[:60]}")
    return complaints


def check_addresses(root: Path) -> list[str]:
    """No tracked file names an address that packages are downloaded from."""
    complaints = []
    for path in tracked(root):
        if path == Path(__file__) or path.stat().st_size > TEXT_LIMIT:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        seen = DOWNLOAD.search(text)
        if seen:
            line = text.count("\n", 0, seen.start()) + 1
            complaints.append(f"{path.relative_to(root)}:{line}: names a download address: {seen.group()}")
    return complaints


def check_package_locks(root: Path) -> list[str]:
    """Package locks say versions and hashes, not where somebody once fetched them."""
    return [
        f"{path.relative_to(root)}: has `resolved` addresses"
        for path in tracked(root)
        if path.name == "package-lock.json" and '"resolved"' in path.read_text()
    ]


def tracked(root: Path) -> list[Path]:
    """The files under version control; in an unpacked archive, all that aren't leftovers."""
    asked = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        paths = [root / name for name in asked.stdout.split("\0") if name]
    else:
        skipped = {".venv", ".turnus", "node_modules", "__pycache__", ".git"}
        paths = []
        for folder, inside, names in os.walk(root):
            inside[:] = [name for name in inside if name not in skipped]
            paths += [Path(folder, name) for name in names]
    return [path for path in paths if path.is_file() and not path.is_symlink()]
