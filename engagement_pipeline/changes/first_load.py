"""Brings whole tables into the operational store: the first load, or another one where that store or events were lost.

Events may go on meanwhile: what they tell of an item stands. A load that was cut short is simply begun anew.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from engagement_pipeline.changes.consumer import NOT_STORABLE
from engagement_pipeline.changes.events import BadChangeError, ChangeEvent, Entity, Item
from engagement_pipeline.changes.item_reader import TABLES, ItemReader, as_told
from engagement_pipeline.changes.leftovers import has_rows, left_over
from engagement_pipeline.changes.read_model import ReadModel
from engagement_pipeline.changes.reading import Reading
from engagement_pipeline.platform.batches import in_batches
from engagement_pipeline.platform.dynamodb import Dynamo, connect
from engagement_pipeline.platform.dynamodb_bulk import exported, scanned
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users import rejects
from engagement_pipeline.users.rejects import Reject

# Users come behind their orders, so that they are written once, with aggregates that hold them.
ENTITIES: Final[tuple[Entity, ...]] = ("order", "user", "email", "address", "audit")

_AT_ONCE: Final = 1_000
# Between the clocks of who loads and of who takes events.
_APART: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class LoadReport:
    """What became of the items of the tables.

    Attributes:
        read: items that were read.
        written: those that events had not told of.
        rejected: those that are no proper users, orders and so on; each is recorded with its reason.
        removed: rows of users and orders that are no items any more.
    """

    read: int = 0
    written: int = 0
    rejected: int = 0
    removed: int = 0

    def __add__(self, other: "LoadReport") -> "LoadReport":
        return LoadReport(
            self.read + other.read,
            self.written + other.written,
            self.rejected + other.rejected,
            self.removed + other.removed,
        )


def load(
    settings: Settings,
    database: Database,
    now: Callable[[], datetime],
    exports: Mapping[Entity, str] | None = None,
    on_progress: Callable[[int], None] = lambda count: None,
) -> dict[Entity, LoadReport]:
    """Load the tables, or those of which there is an export.

    Args:
        settings: name the tables.
        database: the operational store.
        now: tells the time, timezone-aware.
        exports: where exports of tables lie (`s3://...`); without any, all tables are scanned.
        on_progress: hears of each batch how many items it has brought.

    Raises:
        BadInputError: settings name no tables, or there is no whole export there.
        UnavailableError: DynamoDB does not answer. What was loaded stays.
    """
    if not settings.dynamodb.is_set:
        raise BadInputError("no tables to load: set ENGAGEMENT_DYNAMODB__USERS_TABLE and the others")
    loader = _Loader(settings, database, now)
    wanted = [entity for entity in ENTITIES if not exports or entity in exports]
    return {entity: loader.load(entity, (exports or {}).get(entity), on_progress) for entity in wanted}


class _Loader:
    def __init__(self, settings: Settings, database: Database, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._database = database
        self._now = now
        self._dynamo: Dynamo = connect(settings)
        self._items = ItemReader(settings, database)
        # Whether items lack orders is for events to find: here every order would ask for its user's.
        self._model = ReadModel(
            settings.secret_key.get_secret_value(), self._items.orders_now, lambda user_ids, now: None
        )

    def load(self, entity: Entity, export: str | None, on_progress: Callable[[int], None]) -> LoadReport:
        table = TABLES[entity]
        found = scanned(self._dynamo, table) if export is None else exported(self._settings, table, export)
        # An export is older than it looks: whatever events have told stands.
        begun = self._now() - _APART if export is None else None
        is_new = not has_rows(self._database, entity)
        total = LoadReport()
        with closing(found) as items:
            for batch in in_batches(items, _AT_ONCE):
                total += self._take(entity, batch, begun)
                on_progress(len(batch))
        if begun is None or is_new:
            return total
        return total + LoadReport(removed=self._remove(entity, begun))

    def _remove(self, entity: Entity, begun: datetime) -> int:
        removed = 0
        for keys in left_over(self._database, self._dynamo, entity):
            now = self._now()
            gone = [_telling(entity, key[-1], key[0], None, now) for key in keys]
            removed += self._write([Reading(event, None) for event in gone], now, begun)
        return removed

    def _take(self, entity: Entity, items: Sequence[Item], begun: datetime | None) -> LoadReport:
        now = self._now()
        readings: list[Reading[Any]] = []
        unreadable: list[tuple[ChangeEvent, Reject]] = []
        for item in items:
            event = _event(entity, item, now)
            try:
                readings.append(self._items.read(event))
            except BadChangeError as error:
                unreadable.append((event, self._reject(event, error)))
        there = self._items.there([event for event, _ in unreadable])
        faults = [reject for event, reject in unreadable if event.key in there]
        faults += self._items.faults([reading.event for reading in readings], now)
        try:
            written = self._write(readings, now, begun)
        except NOT_STORABLE:
            written = 0
            for reading in readings:
                try:
                    written += self._write([reading], now, begun)
                except NOT_STORABLE as error:
                    # Its text could quote a row.
                    wrong = BadChangeError("new", "not_storable", type(error).__name__)
                    faults.append(self._reject(reading.event, wrong))
        with self._database.write() as connection:
            rejects.record(connection, faults, now)
        return LoadReport(len(items), written, len(faults))

    def _write(self, readings: Sequence[Reading[Any]], now: datetime, begun: datetime | None) -> int:
        with self._database.write() as connection:
            return self._model.load(connection, readings, now, begun)

    def _reject(self, event: ChangeEvent, error: BadChangeError) -> Reject:
        return Reject(
            entity="change",
            file=self._dynamo.called(TABLES[event.entity]),
            line=0,
            field=error.field,
            reason=error.code,
            message=str(error),
            original=rejects.storable(str(event.new)),
        )


def _event(entity: Entity, item: Item, now: datetime) -> ChangeEvent:
    user_id = item.get("userId")
    owner = user_id if isinstance(user_id, str) and user_id else None
    return _telling(entity, item[TABLES[entity].key.attributes[-1]], owner, as_told(item), now)


def _telling(entity: Entity, entity_id: str, user_id: str | None, new: Item | None, now: datetime) -> ChangeEvent:
    """Return what an event would say of an item as it is; None: that it is not there any more."""
    return ChangeEvent(
        version=1,
        event_id="load",
        entity=entity,
        operation="deleted" if new is None else "created",
        entity_id=entity_id,
        user_id=user_id,
        sequence=0,
        occurred_at=now,
        new=new,
    )
