"""Copies of the warehouse, and pages that somebody elsewhere has to see, in a bucket."""

import urllib.request
from pathlib import Path

import boto3
import duckdb
import pytest

from engagement_pipeline.definitions import build_defs
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import bucket
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline_tests.aws_server import REGION
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.defs.conftest import silent_user

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(ministack: str, tmp_path: Path) -> Settings:
    boto3.client("s3", region_name=REGION, endpoint_url=ministack).create_bucket(Bucket="files")
    return Settings(data_dir=tmp_path / "shop", files_bucket="files", aws_region=REGION, aws_endpoint_url=ministack)


def test_a_copy_of_the_warehouse_opens_elsewhere_and_holds_what_it_held(
    settings: Settings, ministack: str, tmp_path: Path
) -> None:
    pipeline = Pipeline(settings, lambda: NOW)
    pipeline.store.put_users([silent_user(1)], NOW)
    defs = build_defs(settings, {"pipeline": pipeline})
    assert defs.resolve_job_def("react_to_changes").execute_in_process().success
    assert defs.resolve_job_def("back_up").execute_in_process().success
    copied = tmp_path / "copied.duckdb"
    key = f"{bucket.BACKUPS}warehouse-{NOW:%Y-%m-%d}.duckdb"
    boto3.client("s3", region_name=REGION, endpoint_url=ministack).download_file("files", key, str(copied))
    with duckdb.connect(str(copied), read_only=True) as con:
        assert con.execute("SELECT user_id FROM raw_users").fetchall() == [("user-1",)]


def test_without_a_bucket_nothing_is_copied() -> None:
    defs = build_defs(Settings())
    assert "back_up" not in {job.name for job in defs.resolve_all_job_defs()}
    assert "nightly_back_up" not in {each.name for each in defs.schedules or []}


def test_a_page_is_read_by_its_link(settings: Settings, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!doctype html>")
    bucket.keep(settings, page, "previews/page.html")
    address = bucket.link(settings, "previews/page.html")
    assert "X-Amz-Signature=" in address
    assert "X-Amz-Expires=3600" in address
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.read() == b"<!doctype html>"
