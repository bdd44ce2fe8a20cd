"""The files around the code are checked, and the checks find what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import lint
from ops.places import ROOT


def test_there_is_nothing_to_complain_about() -> None:
    assert lint.check(ROOT) == []


def test_a_bogus_key_in_the_compose_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "docker-compose.yml"
    path.write_text((ROOT / "docker-compose.yml").read_text().replace("shm_size:", "shm_sise:"))
    assert [line for line in lint.check_compose(path) if "shm_sise" in line]


def test_a_missing_service_is_found(tmp_path: Path) -> None:
    path = tmp_path / "docker-compose.yml"
    path.write_text((ROOT / "docker-compose.yml").read_text().replace("  relay:", "  replay:"))
    assert lint.check_compose(path) == ["docker-compose.yml: no service 'relay'"]


def test_a_poor_dockerfile_is_found(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FROM python:latest\nRUN cd /srv && pip install django\n")
    assert [line for line in lint.check_dockerfile(path) if "DL3007" in line]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("django==5.2.19\n", "without a hash"),
        ("--index-url example\n", "names an index"),
        ("django @ https://example.org/django --hash=sha256:00\n", "names an index"),
    ],
)
def test_a_requirement_without_hash_or_with_an_address_is_found(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "runtime.txt"
    path.write_text(text)
    assert [complaint in line for line in lint.check_requirements(path)] == [True]


@pytest.mark.parametrize(
    "address", ["https" + "://example.org/p/turnus-1.0.tar.gz", "--index-url " + "https://example.org/simple"]
)
def test_a_download_address_is_found(tmp_path: Path, address: str) -> None:
    (tmp_path / "notes.md").write_text(f"first line\nsee {address}\n")
    assert lint.check_addresses(tmp_path) == [f"notes.md:2: names a download address: {address}"]


def test_resolved_addresses_in_a_package_lock_are_found(tmp_path: Path) -> None:
    (tmp_path / "package-lock.json").write_text('{"packages": {"a": {"resolved": "somewhere"}}}')
    assert lint.check_package_locks(tmp_path) == ["package-lock.json: has `resolved` addresses"]
