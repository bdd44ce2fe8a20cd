"""Where stored files lie: in the database, or in a bucket of an S3-compatible store with keys from the environment.

TURNUS_FILES_URL names the bucket, `s3://bucket/prefix`; empty: the database. TURNUS_FILES_ENDPOINT is the address of a
store that isn't Amazon's, TURNUS_FILES_REGION its region, TURNUS_FILES_KEY_ID and TURNUS_FILES_SECRET its key (without
them boto3 looks where it always does, such as the machine's role). TURNUS_FILES_TO=database leaves new files in the
database while what lies in the bucket is still read there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"([A-Za-z0-9_.-]+/)*[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and how it is reached. `prefix` is empty or ends with `/`; an empty endpoint and key are boto3's own."""

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    key_id: str = ""
    secret: str = field(default="", repr=False)
    takes_new: bool = True


def bucket_of(environment: Mapping[str, str]) -> Bucket | None:
    """The bucket, None without one. Raises ValueError for what is no bucket, or half a key.

    >>> bucket_of({"TURNUS_FILES_URL": "s3://files/turnus", "TURNUS_FILES_TO": "database"})
    Bucket(name='files', prefix='turnus/', endpoint='', region='us-east-1', key_id='', takes_new=False)
    >>> bucket_of({}) is None
    True
    """
    told = {name: environment.get(f"TURNUS_FILES_{name}", "").strip() for name in _VARIABLES}
    if not told["URL"]:
        return None
    scheme, _mark, place = told["URL"].partition("://")
    name, _slash, prefix = place.rstrip("/").partition("/")
    if scheme != "s3" or not _NAME.fullmatch(name) or (prefix and not _PREFIX.fullmatch(prefix)):
        raise ValueError("TURNUS_FILES_URL names a bucket and perhaps a prefix: s3://bucket/prefix")
    if bool(told["KEY_ID"]) != bool(told["SECRET"]):
        raise ValueError("TURNUS_FILES_KEY_ID and TURNUS_FILES_SECRET are set together or not at all")
    if told["ENDPOINT"] and not told["ENDPOINT"].startswith(("https://", "http://")):
        raise ValueError("TURNUS_FILES_ENDPOINT is an address such as https://s3.example.com")
    if told["TO"] not in ("", "bucket", "database"):
        raise ValueError("TURNUS_FILES_TO is bucket or database")
    return Bucket(
        name=name,
        prefix=f"{prefix}/" if prefix else "",
        endpoint=told["ENDPOINT"].rstrip("/"),
        region=told["REGION"] or "us-east-1",
        key_id=told["KEY_ID"],
        secret=told["SECRET"],
        takes_new=told["TO"] != "database",
    )


_VARIABLES = ("URL", "ENDPOINT", "REGION", "KEY_ID", "SECRET", "TO")
