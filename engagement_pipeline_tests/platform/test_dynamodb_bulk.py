"""Whole tables: scans of several parts side by side, and exports as DynamoDB writes them to S3."""

import base64
import gzip
import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from engagement_pipeline.platform.aws import client
from engagement_pipeline.platform.dynamodb import Dynamo, UnavailableError
from engagement_pipeline.platform.dynamodb_bulk import BadExportError, exported, scanned
from engagement_pipeline.platform.dynamodb_tables import ORDERS, USERS
from engagement_pipeline.platform.dynamodb_values import Item, attributes_of
from engagement_pipeline.platform.dynamodb_writes import Put
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline_tests.dynamodb import settings_of

pytestmark = pytest.mark.integration

FOLDER = "2026-Mar/AWSDynamoDB/01234567890123-a1b2c3d4"
BUCKET = "exports"


@pytest.fixture
def settings(ministack: str, dynamodb_tables: DynamoSettings) -> Settings:
    return settings_of(ministack, dynamodb_tables)


def write_export(settings: Settings, files: Sequence[Sequence[Item]], **summary: Any) -> str:
    """Write what DynamoDB writes when it exports a table; return where."""
    s3 = client(settings, "s3")
    s3.create_bucket(Bucket=BUCKET)
    entries = []
    for number, items in enumerate(files):
        lines = "".join(json.dumps({"Item": attributes_of(item)}) + "\n" for item in items)
        content = gzip.compress(lines.encode())
        key = f"{FOLDER}/data/file{number}.json.gz"
        s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        digest = base64.b64encode(hashlib.md5(content).digest()).decode()
        entries.append({"itemCount": len(items), "md5Checksum": digest, "etag": "e-1", "dataFileS3Key": key})
    manifest: Mapping[str, Any] = {
        "version": "2023-08-01",
        "tableArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/{settings.dynamodb.users_table}",
        "s3Bucket": BUCKET,
        "s3Prefix": "2026-Mar",
        "manifestFilesS3Key": f"{FOLDER}/manifest-files.json",
        "itemCount": sum(map(len, files)),
        "outputFormat": "DYNAMODB_JSON",
        "exportType": "FULL_EXPORT",
        **summary,
    }
    s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}/manifest-summary.json", Body=json.dumps(manifest).encode())
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}/manifest-files.json", Body=lines.encode())
    return f"s3://{BUCKET}/{FOLDER}/"


def test_a_scan_finds_every_item_once(dynamo: Dynamo) -> None:
    items = [{"userId": f"u{number}", "name": "x" * 3_000} for number in range(1_200)]
    dynamo.write_many(Put(USERS, item) for item in items)
    assert sorted(item["userId"] for item in scanned(dynamo, USERS, 3)) == sorted(item["userId"] for item in items)
    assert list(scanned(dynamo, ORDERS)) == []


def test_a_scan_that_is_left_early_leaves_no_thread_behind(dynamo: Dynamo) -> None:
    dynamo.write_many(Put(USERS, {"userId": f"u{number}"}) for number in range(100))
    before = threading.active_count()
    items = scanned(dynamo, USERS)
    assert next(items)["userId"].startswith("u")
    items.close()
    assert threading.active_count() == before


def test_a_scan_whose_parts_fail_says_so(dynamo: Dynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise UnavailableError("no answer")

    monkeypatch.setattr(dynamo, "scan", fail)
    with pytest.raises(UnavailableError):
        list(scanned(dynamo, USERS))


def test_an_export_is_read_whole(settings: Settings) -> None:
    items = [{"userId": f"u{number}", "averageOrderValue": number / 4, "tags": ["a", None]} for number in range(5)]
    location = write_export(settings, [items[:3], [], items[3:]])
    assert list(exported(settings, USERS, location)) == items
    assert list(exported(settings, USERS, f"{location}manifest-summary.json")) == items


def test_what_is_no_whole_export_is_refused(settings: Settings) -> None:
    items = [{"userId": "u1"}]
    for wrong in ({"itemCount": 2}, {"outputFormat": "ION"}, {"exportType": "INCREMENTAL_EXPORT"}):
        location = write_export(settings, [items], **wrong)
        with pytest.raises(BadExportError):
            list(exported(settings, USERS, location))
    location = write_export(settings, [items])
    with pytest.raises(BadExportError, match="not an export of the table"):
        list(exported(settings, ORDERS, location))
    client(settings, "s3").put_object(Bucket=BUCKET, Key=f"{FOLDER}/data/file0.json.gz", Body=gzip.compress(b""))
    with pytest.raises(BadExportError, match="broken"):
        list(exported(settings, USERS, location))
    for nowhere in (f"s3://{BUCKET}/elsewhere/", "s3://no-such-bucket-here/", "/tmp/export"):
        with pytest.raises(BadExportError):
            list(exported(settings, USERS, nowhere))
