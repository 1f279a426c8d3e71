"""Dagster's resources: the warehouse; the other parts come as a plain `Pipeline`."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import Field

from engagement_pipeline.platform import warehouse
from engagement_pipeline.platform.settings import Settings


class WarehouseResource(DuckDBResource):
    """DuckDB that waits for its lock within a bound, always closes, and can be opened for reading only."""

    memory_limit: str = Field(default="320MB", description="DuckDB's memory limit.")
    wait_seconds: float = Field(default=60, description="How long to wait while another process has the file.")

    @contextmanager
    def get_connection(self, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the warehouse, as the only process that has it."""
        with warehouse.connect(
            self.database, memory_limit=self.memory_limit, wait_seconds=self.wait_seconds, read_only=read_only
        ) as connection:
            yield connection


def warehouse_resource(settings: Settings) -> WarehouseResource:
    """The warehouse at the place and within the limits that settings name."""
    return WarehouseResource(
        database=str(settings.warehouse_path),
        memory_limit=settings.warehouse_memory_limit,
        wait_seconds=settings.warehouse_wait_seconds,
    )
