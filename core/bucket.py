"""The bucket that files may lie in: an S3-compatible store, reached with boto3, which nothing else imports.

The rules that matter: what goes there is sealed by whoever gives it; an object is written once, under a key that is
never used again; every call ends within its time-outs, and none belongs inside a transaction that holds locks.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

from django.conf import settings

T = TypeVar("T")
#: Seconds; three tries of a call together end before the lease of an effect does.
CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 20
TRIES: Final = 3


class BucketError(RuntimeError):
    """The bucket didn't do what was asked of it; the text says why. `passes`: another try may go well."""

    passes = True


class Absent(BucketError):
    """There is no object under this key."""

    passes = False


class Altered(BucketError):
    """What lies there isn't what was stored."""

    passes = False


@dataclass(frozen=True, slots=True)
class Lying:
    """An object as the bucket lists it. `key` is without the prefix; `tag` is what `put` returned for its content."""

    key: str
    size: int
    tag: str
    put_at: datetime


def is_there() -> bool:
    """Whether the installation has a bucket."""
    return settings.FILES_BUCKET is not None


def takes_new() -> bool:
    """Whether new files go into it."""
    return settings.FILES_BUCKET is not None and settings.FILES_BUCKET.takes_new


def put(key: str, sealed: bytes) -> str:
    """Writes an object, whole or not at all; its tag. The store compares what arrives with its digest."""
    digest = base64.b64encode(hashlib.md5(sealed, usedforsecurity=False).digest()).decode()
    answer = _asked(lambda client, at: client.put_object(**at(key), Body=sealed, ContentMD5=digest))
    return str(answer["ETag"]).strip('"')


def get(key: str) -> bytes:
    """An object's content. Raises `Absent`."""
    content: bytes = _asked(lambda client, at: client.get_object(**at(key))["Body"].read())
    return content


def delete(key: str) -> None:
    """Deletes an object; one that is gone already is no error."""
    _asked(lambda client, at: client.delete_object(**at(key)))


def listed(folder: str) -> Iterator[Lying]:
    """What lies in a folder of the bucket, in ascending order of the keys. Asks page by page, as it is read on."""
    prefix = _bucket().prefix
    more: dict[str, str] = {}
    while True:
        page = _asked(lambda client, at, more=more: client.list_objects_v2(**at(folder, "Prefix"), **more))
        for one in page.get("Contents", ()):
            yield Lying(one["Key"].removeprefix(prefix), one["Size"], one["ETag"].strip('"'), one["LastModified"])
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _bucket() -> Any:
    if settings.FILES_BUCKET is None:
        raise BucketError("no bucket is named: set TURNUS_FILES_URL")
    return settings.FILES_BUCKET


def _asked(call: Callable[..., T]) -> T:
    """Makes a call with the client; what it takes of errors apart, all of them are `BucketError`."""
    place = _bucket()

    def at(key: str, name: str = "Key") -> dict[str, str]:
        return {"Bucket": place.name, name: place.prefix + key}

    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call(_client(place, os.getpid()), at)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        kind = Absent if code in ("NoSuchKey", "404") else BucketError
        raise kind(f"{place.name}: {error}"[:500]) from error
    except (BotoCoreError, OSError) as error:
        raise BucketError(f"{place.name}: {type(error).__name__}: {error}"[:500]) from error


@lru_cache(maxsize=4)
def _client(place: Any, process: int) -> Any:
    """A client for this process: its connections are not to be shared with one that was forked off.

    Loaded when it is first needed: an installation without a bucket pays nothing for it. Checksums beyond the digest
    are left out, as many stores other than Amazon's refuse them.
    """
    import boto3
    from botocore.config import Config

    keys = {"aws_access_key_id": place.key_id, "aws_secret_access_key": place.secret} if place.key_id else {}
    return boto3.session.Session(region_name=place.region, **keys).client(
        "s3",
        endpoint_url=place.endpoint or None,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": TRIES},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if place.endpoint else "auto"},
        ),
    )
