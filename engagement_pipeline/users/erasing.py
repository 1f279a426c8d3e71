"""What must go with a person beside the row of the user: what refused records and imported files say."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.derived import chunks
from engagement_pipeline.users.person import Person
from engagement_pipeline.users.searching import fold
from engagement_pipeline.users.tables import rejected_records, users

ERASED: Final = "[erased]"

_BATCH: Final = 1_000
_CHUNK: Final = 1024 * 1024
# Longer than anything a person is recognised by.
_OVERLAP: Final = 1024


def is_only_one_called(connection: sa.Connection, user_id: str, name: str) -> bool:
    """Tell whether no other user has this name, but for case and accents."""
    others = sa.exists().where(users.c.search_name == fold(name), users.c.user_id != user_id)
    return not connection.execute(sa.select(others)).scalar_one()


def rejects_about(database: Database, person: Person) -> list[str]:
    """Return the keys of the refused records that speak of a person."""
    found: list[str] = []
    after = ""
    columns = (rejected_records.c.record_key, rejected_records.c.original)
    page = sa.select(*columns).order_by(rejected_records.c.record_key).limit(_BATCH)
    while True:
        with database.read() as connection:
            rows = connection.execute(page.where(rejected_records.c.record_key > after)).all()
        if not rows:
            return found
        found += [row.record_key for row in rows if row.original != ERASED and person.is_meant_by(row.original)]
        after = rows[-1].record_key


def blank_rejects(connection: sa.Connection, keys: Collection[str], now: datetime) -> None:
    """Take away what refused records say, in a writing transaction; why they were refused stays."""
    change_log.lock(connection)
    for chunk in chunks(keys):
        said = sa.update(rejected_records).where(rejected_records.c.record_key.in_(chunk))
        connection.execute(said.values(original=ERASED))
    change_log.append(connection, [Change("rejected", key, None, "updated") for key in keys], now)


def delete_files_about(folders: Iterable[Path], person: Person) -> int:
    """Delete the files in these folders that speak of a person, whole; return how many.

    They are copies of what has been imported, or could not be: without them nothing is lost.
    """
    deleted = 0
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file() and any(person.is_in(text) for text in _texts(path)):
                path.unlink(missing_ok=True)
                deleted += 1
    return deleted


def _texts(path: Path) -> Iterator[str]:
    """Read what a file says, in pieces that overlap; one that cannot be read says what its bytes do."""
    # Imported here: readers of files take time to import, and few who erase have any.
    from engagement_pipeline.users.importing.files import open_binary, plain_suffix
    from engagement_pipeline.users.importing.raw import UnreadableFileError

    try:
        if plain_suffix(path) == ".parquet":
            yield from _records(path)
        else:
            with open_binary(path, path.name) as stream:
                yield from _pieces(iter(lambda: stream.read(_CHUNK), b""))
    except UnreadableFileError:
        with path.open("rb") as stream:
            yield from _pieces(iter(lambda: stream.read(_CHUNK), b""))


def _records(path: Path) -> Iterator[str]:
    from engagement_pipeline.users.importing.parquet_file import open_parquet

    source, _ = open_parquet(path, path.name, None)
    for record in source.records():
        yield record.original


def _pieces(chunks_of_bytes: Iterable[bytes]) -> Iterator[str]:
    """Put chunks together to whole lines; what is longer than a chunk is cut, with some of it said twice."""
    rest = b""
    for chunk in chunks_of_bytes:
        piece = rest + chunk
        end_of_line = piece.rfind(b"\n") + 1
        yield _text(piece[: end_of_line or len(piece)])
        rest = piece[end_of_line:] if end_of_line else piece[-_OVERLAP:]
    yield _text(rest)


def _text(piece: bytes) -> str:
    # Without its zeros, UTF-16, which we do not import, can be read as well.
    return piece.replace(b"\0", b"").decode(errors="replace")
