"""Pages put one behind the other are the list, whatever their size, order and filters."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.platform.sql import Database
from engagement_pipeline.web.queries import paging
from engagement_pipeline.web.queries.cursors import CursorError, Cursors, Position, list_name
from engagement_pipeline.web.queries.paging import Segment, read_page
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import SECRET

table = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("thing_id", sa.Integer, primary_key=True),
    sa.Column("size", sa.Float),
    sa.Column("colour", sa.String(8)),
)
CURSORS = Cursors(SECRET)


@contextmanager
def things(database: Database, sizes: list[float | None]) -> Iterator[sa.Connection]:
    rows = [{"thing_id": n, "size": size, "colour": "red" if n % 3 else "blue"} for n, size in enumerate(sizes)]
    with database.write() as connection:
        table.drop(connection, checkfirst=True)
        table.create(connection)
        if rows:
            connection.execute(sa.insert(table), rows)
        yield connection


def segments(*, descending: bool, colour: str | None) -> list[Segment]:
    filters = () if colour is None else (table.c.colour == colour,)
    sized = sa.select(table).where(table.c.size.is_not(None))
    rest = sa.select(table).where(table.c.size.is_(None))
    return [
        Segment(sized, (table.c.size, table.c.thing_id), descending=descending, filters=filters),
        Segment(rest, (table.c.thing_id,), filters=filters),
    ]


def expected(sizes: list[float | None], *, descending: bool, colour: str | None) -> list[int]:
    numbers = [n for n in range(len(sizes)) if colour is None or colour == ("red" if n % 3 else "blue")]
    sized = sorted((n for n in numbers if sizes[n] is not None), key=lambda n: (sizes[n], n), reverse=descending)
    return [*sized, *(n for n in numbers if sizes[n] is None)]


@given(
    st.lists(st.none() | st.integers(0, 3).map(float), max_size=30),
    st.integers(1, 7),
    st.booleans(),
    st.sampled_from([None, "red", "blue", "green"]),
    st.integers(1, 5),
)
def test_pages_make_up_the_list(
    sizes: list[float | None], limit: int, descending: bool, colour: str | None, looked_at: int
) -> None:
    database = Database("sqlite://")
    with pytest.MonkeyPatch.context() as patch, things(database, sizes) as connection:
        patch.setattr(paging, "LOOKED_AT", looked_at)
        found: list[int] = []
        after: Position | None = None
        for _ in range(len(sizes) + 2):
            page = read_page(connection, segments(descending=descending, colour=colour), limit, after)
            found += [row.thing_id for row in page.rows]
            assert len(page.rows) <= limit
            if page.following is None:
                break
            assert page.rows or colour is not None
            after = CURSORS.read(CURSORS.write(page.following, "things"), "things")
        else:
            pytest.fail("the list has no end")
    assert found == expected(sizes, descending=descending, colour=colour)
    database.close()


def test_it_is_the_same_on_both_stores(database: Database) -> None:
    sizes = [2.0, None, 1.0, 2.0, None, 0.5]
    with things(database, sizes) as connection:
        first = read_page(connection, segments(descending=True, colour=None), 3)
        second = read_page(connection, segments(descending=True, colour=None), 3, first.following)
    assert [row.thing_id for row in (*first.rows, *second.rows)] == [3, 0, 2, 5, 1, 4]
    assert second.following is None


def test_what_comes_while_one_reads_moves_nothing() -> None:
    database = Database("sqlite://")
    with things(database, [1.0, 2.0, 3.0]) as connection:
        first = read_page(connection, segments(descending=False, colour=None), 2)
        connection.execute(sa.insert(table), [{"thing_id": 9, "size": 0.0, "colour": "red"}])
        connection.execute(sa.delete(table).where(table.c.thing_id == 1))
        second = read_page(connection, segments(descending=False, colour=None), 2, first.following)
    assert [row.thing_id for row in second.rows] == [2]
    database.close()


def test_cursors_keep_moments_and_say_nothing() -> None:
    position = Position(1, (NOW, "Ada Lovelace", 3.5, None))
    cursor = CURSORS.write(position, "list")
    assert CURSORS.read(cursor, "list") == position
    assert cursor.isascii()
    assert CURSORS.write(position, "list") != cursor
    import base64

    assert b"Ada" not in base64.urlsafe_b64decode(cursor + "==")


@given(st.text(max_size=60), st.integers(min_value=0), st.characters(codec="ascii"))
def test_a_cursor_of_nobody_is_refused(text: str, place: int, sign: str) -> None:
    with pytest.raises(CursorError):
        CURSORS.read(text, "list")
    cursor = CURSORS.write(Position(0, ("a", 1)), "list")
    place %= len(cursor)
    changed = cursor[:place] + sign + cursor[place + 1 :]
    if changed != cursor and place != len(cursor) - 1:
        with pytest.raises(CursorError):
            CURSORS.read(changed, "list")


def test_a_cursor_is_good_for_its_own_list_only() -> None:
    one = list_name("/api/users", [("band", "good"), ("q", None)])
    assert one == list_name("/api/users", [("q", None), ("band", "good")])
    cursor = CURSORS.write(Position(0, (1,)), one)
    for other in (list_name("/api/users", [("band", "critical")]), list_name("/api/emails", [("band", "good")])):
        with pytest.raises(CursorError):
            CURSORS.read(cursor, other)
    with pytest.raises(CursorError):
        Cursors("another secret key of tests").read(cursor, one)
