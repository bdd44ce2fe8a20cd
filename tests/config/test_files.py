"""Where files lie is read from the environment, whole or not at all."""

from __future__ import annotations

import doctest

import pytest

from config import files
from config.files import Bucket, bucket_of


def test_its_examples_are_true() -> None:
    assert doctest.testmod(files).failed == 0


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"URL": "https://bucket"}, "s3://bucket/prefix"),
        ({"URL": "s3://B!"}, "s3://bucket/prefix"),
        ({"URL": "s3://bucket/a b"}, "s3://bucket/prefix"),
        ({"URL": "s3://bucket", "KEY_ID": "x"}, "together or not at all"),
        ({"URL": "s3://bucket", "ENDPOINT": "s3.example.com"}, "an address such as"),
        ({"URL": "s3://bucket", "TO": "disk"}, "bucket or database"),
    ],
)
def test_half_a_setting_stops_the_start(environment: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        bucket_of({f"TURNUS_FILES_{name}": value for name, value in environment.items()})


def test_a_bucket_is_read_from_the_environment_and_its_secret_shown_nowhere() -> None:
    told = {"URL": "s3://files/a/b/", "ENDPOINT": "https://s3.example.com/", "KEY_ID": "id", "SECRET": "hidden"}
    found = bucket_of({f"TURNUS_FILES_{name}": value for name, value in told.items()})
    assert found == Bucket("files", "a/b/", "https://s3.example.com", "us-east-1", "id", "hidden", True)
    assert "hidden" not in repr(found)
