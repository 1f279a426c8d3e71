"""Whole tables at once, for a first load: by a scan of several parts side by side, or from an export to S3.

A scan reads, and pays for, the table's capacity; an export does neither, but is minutes old. Not for requests.
"""

import base64
import gzip
import hashlib
import json
import queue
import re
import threading
from collections.abc import Generator, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from engagement_pipeline.platform.aws import client
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import Table
from engagement_pipeline.platform.dynamodb_values import Item, item_of
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings import Settings

PARTS: Final = 8

_PAGE: Final = 500
# So many pages wait at most for whoever takes them.
_PAGES: Final = 32
_LOCATION: Final = re.compile(r"s3://([a-z0-9.-]{3,63})/(?:(.*)/)?(?:manifest-summary\.json)?", re.ASCII)
_SUMMARY: Final = "manifest-summary.json"
_FILES: Final = "manifest-files.json"


class BadExportError(BadInputError):
    """There is no whole export of this table there."""


class _Failed(NamedTuple):
    error: BaseException


def scanned(dynamo: Dynamo, table: Table, parts: int = PARTS) -> Generator[Item, None, None]:
    """Read a table as it is now, in no particular order, as quickly as the reader takes it.

    Raises:
        UnavailableError: DynamoDB does not answer.
    """
    pages: queue.Queue[list[Item] | _Failed | None] = queue.Queue(_PAGES)
    stopped = threading.Event()

    def put(page: list[Item] | _Failed | None) -> None:
        while not stopped.is_set():
            try:
                pages.put(page, timeout=0.1)
            except queue.Full:
                continue
            return

    def read(part: int) -> None:
        try:
            items = dynamo.scan(table, part, parts)
            while not stopped.is_set() and (page := list(islice(items, _PAGE))):
                put(page)
        except BaseException as error:  # raised where the pages are taken
            put(_Failed(error))
        put(None)

    threads = [threading.Thread(target=read, args=(part,), daemon=True) for part in range(parts)]
    for thread in threads:
        thread.start()
    try:
        yield from _taken(pages, parts)
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def exported(settings: Settings, table: Table, location: str) -> Generator[Item, None, None]:
    """Read a full export in DynamoDB's JSON, and see to it that nothing of it is missing or broken.

    Args:
        settings: hold the region and the table's name.
        table: the one that it has to be an export of.
        location: of the export: `s3://<bucket>/<prefix>/AWSDynamoDB/<id>/`, or its `manifest-summary.json`.

    Raises:
        BadExportError: there is none, or it is not whole, or it is one of another kind or table.
    """
    export = _Export(settings, location)
    summary = export.summary()
    called = settings.dynamodb.tables[table.name]
    if summary.get("outputFormat") != "DYNAMODB_JSON" or summary.get("exportType", "FULL_EXPORT") != "FULL_EXPORT":
        raise BadExportError(f"{location} is no full export in DYNAMODB_JSON")
    if not str(summary.get("tableArn", "")).endswith(f"/{called}"):
        raise BadExportError(f"{location} is not an export of the table {called}")
    count = 0
    for entry in export.files():
        for item in export.items(entry):
            count += 1
            yield item
    if count != summary.get("itemCount"):
        raise BadExportError(f"{location} holds {count} items, and its manifest says {summary.get('itemCount')}")


class _Export:
    def __init__(self, settings: Settings, location: str) -> None:
        match = _LOCATION.fullmatch(location)
        if match is None:
            raise BadExportError(f"{location} is no s3://<bucket>/<folder>/ of an export")
        self._s3 = client(settings, "s3")
        self._location = location
        self._bucket = match.group(1)
        # Manifests name their files by keys that do not hold once an export has been copied.
        self._folder = f"{match.group(2)}/" if match.group(2) else ""

    def summary(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self._read(_SUMMARY))
        return found

    def files(self) -> list[Mapping[str, Any]]:
        return [json.loads(line) for line in self._read(_FILES).splitlines() if line.strip()]

    def items(self, entry: Mapping[str, Any]) -> Iterator[Item]:
        name = f"data/{str(entry['dataFileS3Key']).rpartition('/')[2]}"
        content = self._read(name)
        digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        if entry.get("md5Checksum") not in (None, digest):
            raise BadExportError(f"{name} in {self._location} is broken")
        for line in gzip.decompress(content).splitlines():
            yield item_of(json.loads(line)["Item"])

    def _read(self, name: str) -> bytes:
        from botocore.exceptions import ClientError

        try:
            content: bytes = self._s3.get_object(Bucket=self._bucket, Key=f"{self._folder}{name}")["Body"].read()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("NoSuchKey", "NoSuchBucket", "404"):
                raise BadExportError(f"there is no {name} in {self._location}") from None
            raise
        return content


def _taken(pages: "queue.Queue[list[Item] | _Failed | None]", parts: int) -> Iterator[Item]:
    left = parts
    while left:
        page = pages.get()
        if isinstance(page, _Failed):
            raise page.error
        if page is None:
            left -= 1
        else:
            yield from page
