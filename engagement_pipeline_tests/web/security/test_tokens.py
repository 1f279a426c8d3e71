"""Tokens: kept as hashes, found by nobody else, revoked for good."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.platform.sql import Database
from engagement_pipeline.web.security import tokens
from engagement_pipeline.web.security.tables import api_tokens
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import scratch_database


def test_a_token_is_found_by_itself_alone(database: Database) -> None:
    with database.write() as connection:
        token = tokens.add(connection, "shop", "write", NOW)
        other = tokens.add(connection, "reports", "read", NOW)
        found = tokens.find(connection, token)
        assert found is not None
        assert (found.name, found.scope) == ("shop", "write")
        assert tokens.SHAPE.fullmatch(token)
        assert token != other
        for wrong in ("", "egp_", token[:-1], token + "x", token.upper(), other[:-1]):
            assert tokens.find(connection, wrong) is None


def test_the_store_does_not_know_the_token(database: Database) -> None:
    with database.write() as connection:
        token = tokens.add(connection, "shop", "write", NOW)
        (row,) = connection.execute(sa.select(api_tokens)).all()
    assert token not in repr(row)
    assert token.removeprefix(tokens.PREFIX) not in repr(row)


def test_a_token_that_was_drawn_elsewhere_is_the_first_or_none(database: Database) -> None:
    drawn = tokens.PREFIX + "x" * 43
    with database.write() as connection:
        assert tokens.add_first(connection, drawn, NOW)
        found = tokens.find(connection, drawn)
        assert found is not None
        assert (found.name, found.scope) == ("first", "write")
        assert not tokens.add_first(connection, drawn, NOW)
        assert tokens.revoke(connection, "first", NOW)
        # A token that was taken back must not come in again with the next start.
        assert not tokens.add_first(connection, drawn, NOW)
        assert tokens.find(connection, drawn) is None


def test_a_revoked_token_is_none_and_its_name_stays_taken(database: Database) -> None:
    with database.write() as connection:
        token = tokens.add(connection, "shop", "write", NOW)
        assert tokens.revoke(connection, "shop", NOW)
        assert not tokens.revoke(connection, "shop", NOW)
        assert tokens.find(connection, token) is None
        assert tokens.find_by_id(connection, tokens.list_tokens(connection)[0].token_id) is None
        with pytest.raises(tokens.TokenNameError):
            tokens.add(connection, "shop", "read", NOW)


def test_revoking_the_last_token_does_not_open_the_door(database: Database) -> None:
    with database.write() as connection:
        assert not tokens.are_needed(connection)
        tokens.add(connection, "shop", "read", NOW)
        tokens.revoke(connection, "shop", NOW)
        assert tokens.are_needed(connection)


@pytest.mark.parametrize("name", ["", "local", "cli", "system", "a b", "a@b", "-a", "x" * 65, "naïve", "a\n"])
def test_names_that_the_audit_log_could_not_show_are_refused(name: str) -> None:
    with scratch_database() as database, database.write() as connection, pytest.raises(tokens.TokenNameError):
        tokens.add(connection, name, "read", NOW)


def test_use_is_noted_at_most_once_an_hour(database: Database) -> None:
    with database.write() as connection:
        token = tokens.add(connection, "shop", "read", NOW)
        found = tokens.find(connection, token)
        assert found is not None
        assert tokens.is_use_to_be_noted(found, NOW)
        tokens.note_use(connection, found.token_id, NOW)
        noted = tokens.find(connection, token)
        assert noted is not None
        assert noted.last_used_at == NOW
        assert not tokens.is_use_to_be_noted(noted, NOW + timedelta(minutes=59))
        assert tokens.is_use_to_be_noted(noted, NOW + timedelta(hours=1))


@given(st.text())
def test_no_other_text_is_a_token(text: str) -> None:
    with scratch_database() as database, database.write() as connection:
        tokens.add(connection, "shop", "read", NOW)
        assert tokens.find(connection, text) is None
