"""Lists of users: every order and filter, names as people type them, and an index behind each."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.tables import scores
from engagement_pipeline.web.queries.cursors import Position
from engagement_pipeline.web.queries.users import Sort, UserFilters, list_users, user_detail
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.plans import plans_of
from engagement_pipeline_tests.users.builders import SECRET, store_of, user

PEOPLE = {
    "u1": ("Ada Lovelace", 12.0, "critical", 300),
    "u2": ("Zoë Ångström", 33.0, "at_risk", 90),
    "u3": ("ada byron", 55.0, "moderate", None),
    "u4": (None, 80.0, "good", 3),
    "u5": ("Grace Adams", None, None, 20),
    "ada": ("Somebody Else", 12.0, "critical", 300),
}


@pytest.fixture
def people(database: Database) -> Database:
    store_of(database).put_users(
        [
            user(key, name=name, last_order_at=None if days is None else NOW - timedelta(days=days))
            for key, (name, _, _, days) in PEOPLE.items()
        ],
        NOW,
    )
    rows = [
        {"user_id": key, "score": score, "band": band, "as_of": NOW.date(), "published_at": NOW}
        for key, (_, score, band, _) in [*PEOPLE.items(), ("gone", (None, 1.0, "critical", None))]
        if score is not None
    ]
    with database.write() as connection:
        connection.execute(sa.insert(scores), rows)
    return database


def found(database: Database, filters: UserFilters, limit: int = 2) -> list[str]:
    """All pages, one behind the other."""
    ids: list[str] = []
    after: Position | None = None
    with database.read() as connection:
        while True:
            page = list_users(connection, filters, limit, after, SECRET)
            ids += [each.user_id for each in page.users]
            if page.following is None:
                return ids
            after = page.following


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (None, ["ada", "u1", "u2", "u3", "u4", "u5"]),
        ("user_id", ["ada", "u1", "u2", "u3", "u4", "u5"]),
        ("name", ["u3", "u1", "u5", "ada", "u2", "u4"]),
        ("score", ["ada", "u1", "u2", "u3", "u4"]),
        ("-score", ["u4", "u3", "u2", "u1", "ada"]),
        ("last_order_at", ["ada", "u1", "u2", "u5", "u4", "u3"]),
        ("-last_order_at", ["u4", "u5", "u2", "u1", "ada", "u3"]),
    ],
)
def test_orders(people: Database, sort: Sort | None, expected: list[str]) -> None:
    assert found(people, UserFilters(sort=sort)) == expected
    assert found(people, UserFilters(sort=sort), limit=200) == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (UserFilters(band="critical"), ["ada", "u1"]),
        (UserFilters(band="critical", sort="-score"), ["u1", "ada"]),
        (UserFilters(band="critical", sort="name"), ["u1", "ada"]),
        (UserFilters(band="moderate", sort="-last_order_at"), ["u3"]),
        (UserFilters(score_from=33, score_to=55), ["u2", "u3"]),
        (UserFilters(score_from=33, score_to=55, sort="-last_order_at"), ["u2", "u3"]),
        (UserFilters(band="good", score_to=50), []),
    ],
)
def test_filters(people: Database, filters: UserFilters, expected: list[str]) -> None:
    assert found(people, filters) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        # By id first, then by the beginning of the name, then of the last word.
        ("ada", ["ada", "u3", "u1", "u5"]),
        ("ADA L", ["u1"]),
        ("  ada   l ", ["u1"]),
        ("zoe", ["u2"]),
        ("angstrom", ["u2"]),
        ("ÅNG", ["u2"]),
        ("u4", ["u4"]),
        (" U1@Example.com", ["u1"]),
        ("nobody@example.com", []),
        ("u1@example", []),
        ("lov%", []),
        ("_da", []),
        ("'; DROP TABLE users; --", []),
        ("́", []),
        ("", []),
    ],
)
def test_search(people: Database, typed: str, expected: list[str]) -> None:
    assert found(people, UserFilters(q=typed), limit=1) == expected
    assert found(people, UserFilters(q=typed), limit=200) == expected


def test_search_within_a_band(people: Database) -> None:
    assert found(people, UserFilters(q="ada", band="critical")) == ["ada", "u1"]


def test_a_row_has_what_lists_show_and_its_representation_nobody(people: Database) -> None:
    with people.read() as connection:
        (row,) = list_users(connection, UserFilters(q="u2"), 10, None, SECRET).users
    assert (row.name, row.email, row.score, row.band) == ("Zoë Ångström", "u2@example.com", 33.0, "at_risk")
    assert "Zo" not in repr(row)
    assert "@" not in repr(row)


def test_detail(people: Database) -> None:
    user = store_of(people).get_user("u1")
    assert user is not None
    with people.read() as connection:
        detail = user_detail(connection, user)
    assert detail.published is not None
    assert (detail.user.user_id, detail.published.band, detail.suppression, detail.open_email) == (
        *("u1", "critical"),
        *(None, None),
    )


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (UserFilters(sort="name"), "ix_users_search_name_user_id"),
        (UserFilters(sort="-last_order_at"), "ix_users_last_order_at_user_id"),
        (UserFilters(sort="score"), "ix_scores_score_user_id"),
        (UserFilters(band="critical"), "ix_scores_band_score_user_id"),
        (UserFilters(q="nobody"), "ix_users_search_surname_user_id"),
        (UserFilters(sort="name", band="good"), "ix_users_search_name_user_id"),
    ],
)
def test_no_page_sorts_or_reads_a_table_whole(people: Database, filters: UserFilters, index: str) -> None:
    plans = plans_of(people, lambda connection: list_users(connection, filters, 2, None, SECRET))
    assert any(index in plan for plan in plans), plans
    assert not any("TEMP B-TREE" in plan for plan in plans), plans
    assert not any(plan in ("SCAN users", "SCAN scores") for plan in plans), plans
