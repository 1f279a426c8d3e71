"""The parts that settings choose, put together in one place for Dagster, the command line and the web."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import duckdb

from engagement_pipeline.copywriting.brand import Brand, load_brand
from engagement_pipeline.copywriting.catalogue import Catalogue, load_catalogue
from engagement_pipeline.copywriting.copy import Copywriter
from engagement_pipeline.copywriting.edition import edition_of
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.delivery.assembly import sender_for
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.delivery.send_report import Progress, SendReport
from engagement_pipeline.delivery.stores import Stores, stores_for
from engagement_pipeline.delivery.suppressions import Suppressions
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform import clock, warehouse
from engagement_pipeline.platform.audit import Audit
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.store import UserStore

if TYPE_CHECKING:
    from engagement_pipeline.copywriting.preview import Preview
    from engagement_pipeline.delivery.on_request import Writing


class Pipeline:
    """The parts that settings choose, each made when first used.

    A plain object, not a Dagster `ConfigurableResource`: Dagster shows a resource's configuration to everyone who can
    open its UI, and these settings hold secrets.
    """

    def __init__(
        self, settings: Settings, now: Callable[[], datetime] = clock.now, on_sending: Progress | None = None
    ) -> None:
        """Take the settings, a clock, and who wants to hear how every sending run gets on."""
        self.settings = settings
        self.now = now
        self._on_sending = on_sending

    @property
    def secret_key(self) -> str:
        return self.settings.secret_key.get_secret_value()

    @cached_property
    def database(self) -> Database:
        database = Database(self.settings.store_url)
        upgrade(database)
        return database

    @cached_property
    def stores(self) -> Stores:
        return stores_for(self.settings, self.database)

    @property
    def store(self) -> UserStore:
        return self.stores.users

    @property
    def ledger(self) -> Ledger:
        return self.stores.ledger

    @property
    def suppressions(self) -> Suppressions:
        return self.stores.suppressions

    @property
    def audit(self) -> Audit:
        return self.stores.audit

    @cached_property
    def brand(self) -> Brand:
        return load_brand(self.settings.brand_file)

    @cached_property
    def catalogue(self) -> Catalogue | None:
        file = self.settings.catalogue_file
        return None if file is None else load_catalogue(file, self.brand)

    @property
    def copywriter(self) -> Copywriter:
        """A copywriter for one run, which keeps to the run's budget and counts what it spends."""
        template = TemplateCopywriter(self.brand)
        if self.why_template is not None:
            return template
        from engagement_pipeline.copywriting.openai.writer import OpenAICopywriter

        return OpenAICopywriter(self.settings, self.brand, template, self.database, self.now)

    @property
    def edition(self) -> str:
        """The words that the campaign can say now, under the name by which they are approved."""
        return edition_of(self.copywriter, self.catalogue)

    @property
    def why_template(self) -> str | None:
        """Why no model writes, in words; None where one does."""
        if self.settings.openai_api_key.get_secret_value() or self.settings.openai_base_url:
            return None
        return "no key: a model writes once OPENAI_API_KEY or OPENAI_BASE_URL is set"

    @property
    def writing(self) -> "Writing":
        """What writing to one person on request takes."""
        from engagement_pipeline.delivery.on_request import Writing

        return Writing(self.stores, self.settings, self.brand, self.catalogue, lambda: self.copywriter)

    @contextmanager
    def warehouse(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the warehouse outside of Dagster.

        Raises:
            WarehouseBusyError: a run has it for longer than settings allow to wait.
        """
        with warehouse.connect(
            self.settings.warehouse_path,
            memory_limit=self.settings.warehouse_memory_limit,
            wait_seconds=self.settings.warehouse_wait_seconds,
            read_only=read_only,
        ) as connection:
            yield connection

    def preview(self, user_id: str, variant: str | None = None, *, fresh: bool = False) -> "Preview":
        """Show one user's e-mail as it would be now, and all that led to it; sends nothing.

        Raises:
            BadInputError: see `Previewer.preview`.
        """
        from engagement_pipeline.delivery.previewing import Previewer

        previewer = Previewer(
            self.settings, self.stores, self.copywriter, self.why_template, self.brand, self.catalogue
        )
        return previewer.preview(user_id, self.now(), variant=variant, fresh=fresh)

    def send(self, on_progress: Progress | None = None) -> SendReport:
        """Send what is queued and due; `on_progress` hears how this run gets on."""
        listeners = [listener for listener in (self._on_sending, on_progress) if listener is not None]

        def tell(report: SendReport) -> None:
            for listener in listeners:
                listener(report)

        return sender_for(self.settings, self.stores, self.brand).run(self.now, tell)
