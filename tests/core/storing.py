"""A real S3 server in a process of its own, spoken to through the real SDK, and files that lie in its buckets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from config.files import Bucket
from core import bucket
from core.models import StoredFile
from core.services import outbox

_numbers = count(1)
KINDS = ["file.to_bucket", "file.erase"]


@contextmanager
def a_store() -> Iterator[str]:
    """Its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None and time.monotonic() < deadline, "the store doesn't start"
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def a_bucket(address: str, **more: Any) -> Bucket:
    """A new bucket there."""
    place = Bucket(
        name=f"files-{next(_numbers)}", prefix="turnus/", endpoint=address, key_id="id", secret="secret", **more
    )
    client(place).create_bucket(Bucket=place.name)
    return place


def client(place: Bucket) -> Any:
    return bucket._client(place, os.getpid())


def lying(place: Bucket) -> dict[str, bytes]:
    """What lies in the bucket, whole keys with contents."""
    there = client(place)
    keys = [one["Key"] for one in there.list_objects_v2(Bucket=place.name).get("Contents", ())]
    return {key: there.get_object(Bucket=place.name, Key=key)["Body"].read() for key in keys}


def relayed() -> outbox.Relayed:
    """Has the effects on files carried out that are due."""
    return outbox.relay(worker="test", kinds=KINDS)


def fresh(stored: StoredFile) -> StoredFile:
    return StoredFile.objects.get(pk=stored.pk)
