"""The sample: a real shop's orders moved to the present, and users made up to go with them (see `users.synthetic`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from engagement_pipeline.users.importing import ImportReport, Progress, UnreadableFileError, import_path, read_valid
from engagement_pipeline.users.models import Order
from engagement_pipeline.users.store import UserStore
from engagement_pipeline.users.synthetic import synthetic_user

__all__ = ["SampleReport", "load_sample", "synthetic_user"]

_USERS_BATCH = 5_000


@dataclass(frozen=True)
class SampleReport:
    """What loading the sample did.

    Attributes:
        users: what became of the users.
        orders: what became of the orders.
        shift_days: days by which every order was moved.
        last_order_on: the day of the last order after that.
    """

    users: ImportReport
    orders: ImportReport
    shift_days: int
    last_order_on: date


def load_sample(
    store: UserStore,
    orders_file: Path,
    users_file: Path | None,
    today: date,
    now: datetime,
    on_progress: Progress | None = None,
    *,
    move_to_present: bool = True,
) -> SampleReport:
    """Load an order file, moved by whole days so that its last order was yesterday, and users for it.

    By how many days is settled when the file is first loaded: loading it again on a later day changes nothing.

    Args:
        store: where users and orders go.
        orders_file: any order file.
        users_file: the users, if they are not to be made up.
        today: the day after the last order.
        now: the moment of loading.
        on_progress: is called with the number of records handled since the last call.
        move_to_present: False leaves the dates as they are, as befits orders that somebody really placed lately.

    Raises:
        UnreadableFileError: a file is missing, empty, broken or lacks a column.
    """
    user_ids, last_day = _survey(orders_file, now)
    shift_days = 0
    if move_to_present:
        wanted = (today - timedelta(days=1) - last_day).days
        shift_days = int(store.remember(f"sample_shift:{orders_file.name[:100]}:{last_day}", str(wanted)))
    if users_file is None:
        users = _make_up(store, user_ids, now, on_progress)
    else:
        users = import_path(store, "user", users_file, now, on_progress)
    shift = timedelta(days=shift_days)
    orders = import_path(store, "order", orders_file, now, on_progress, shift=shift)
    return SampleReport(users, orders, shift_days, last_day + shift)


def _survey(orders_file: Path, now: datetime) -> tuple[list[str], date]:
    """Return the ids of all users of a file's valid orders, and the day of the last one."""
    user_ids: set[str] = set()
    last_day: date | None = None
    for record in read_valid(orders_file, "order", now):
        if isinstance(record, Order):
            user_ids.add(record.user_id)
            day = record.ordered_at.date()
            last_day = day if last_day is None else max(last_day, day)
    if last_day is None:
        raise UnreadableFileError(f"{orders_file.name} holds no valid order")
    return sorted(user_ids), last_day


def _make_up(store: UserStore, user_ids: Sequence[str], now: datetime, on_progress: Progress | None) -> ImportReport:
    """Create the users that are missing; those that exist may have changed since, and stay as they are."""
    created = 0
    for start in range(0, len(user_ids), _USERS_BATCH):
        batch = user_ids[start : start + _USERS_BATCH]
        known = store.known_user_ids(batch)
        made_up = [synthetic_user(user_id, now) for user_id in batch if user_id not in known]
        created += store.put_users(made_up, now).created
        if on_progress:
            on_progress(len(batch))
    return ImportReport(read=len(user_ids), created=created, unchanged=len(user_ids) - created)
