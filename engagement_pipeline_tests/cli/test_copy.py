"""What a person sees of the copy on the command line, and decides about it."""

from datetime import datetime, timezone
from typing import Any

import pytest
from typer.testing import CliRunner

from engagement_pipeline.cli import app
from engagement_pipeline.delivery import approving
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import get_settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.cli.test_deliveries import refused, run, store
from engagement_pipeline_tests.delivery.parts import SECRET, Parts, silent_user

__all__ = ["store"]

OLD = "0123456789ab"


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False, env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def parts(store: Database, monkeypatch: pytest.MonkeyPatch) -> Parts:
    """The store of a campaign that needs approval."""
    monkeypatch.setenv("ENGAGEMENT_NEEDS_APPROVAL", "true")
    monkeypatch.setenv("ENGAGEMENT_SECRET_KEY", SECRET)
    get_settings.cache_clear()
    return Parts(store, needs_approval=True)


def write(parts: Parts, numbers: range, edition: str) -> None:
    now = datetime.now(timezone.utc)
    users = [silent_user(number) for number in numbers]
    parts.add_users(users, now)
    parts.add_drafts([user.user_id for user in users], now, edition=edition)


def current() -> str:
    pipeline = Pipeline(get_settings())
    edition = pipeline.edition
    pipeline.database.close()
    return edition


def verdicts(result: dict[str, Any]) -> dict[str, str | None]:
    return {each["edition"]: each["verdict"] for each in result["editions"]}


def test_a_sample_is_shown_and_approved(parts: Parts) -> None:
    write(parts, range(3), current())
    sample = run("copy", "sample")
    assert (sample["edition"], sample["emails"], sample["share_fallen_back"]) == (current(), 3, 0)
    words = shown("copy", "sample")
    assert "It has been a while, {{first_name}}" in words
    assert "(template, 3 e-mails)" in words
    assert f"engagement copy approve {current()}" in words
    assert run("status")["unapproved"] == run("send")["unapproved"] == 3
    for command in ("status", "send"):
        assert "3 e-mails wait until somebody approves what is said: engagement copy sample" in shown(command)
    first = run("copy", "approve", current(), "--by", "Ada L.", "--note", "reads  well")
    assert (first["verdict"], first["decided_by"], first["note"], first["waiting"]) == (
        "approved",
        "Ada L.",
        "reads well",
        3,
    )
    again = run("copy", "approve", current(), "--by", "Bob")
    assert (first["is_new"], again["is_new"], again["decided_by"]) == (True, False, "Ada L.")
    assert verdicts(run("copy", "status")) == {current(): "approved"}
    assert run("status")["unapproved"] == 0
    assert "approved already" in shown("copy", "approve", current())


def test_a_rejection_says_what_it_closed(parts: Parts) -> None:
    write(parts, range(2), current())
    rejected = run("copy", "reject")
    assert (rejected["closed"], rejected["waiting"], rejected["emailed"]) == (2, 0, 0)
    assert rejected["decided_by"]
    assert "Nobody is written to until the copy says something else" in shown("copy", "reject", current())
    back = shown("copy", "approve", current())
    assert "What the rejection closed stays closed" in back
    [edition] = run("copy", "status")["editions"]
    assert (edition["verdict"], edition["emails_by_status"], edition["is_current"]) == (
        "approved",
        {"skipped": 2},
        True,
    )


def test_what_is_meant_must_be_clear(parts: Parts) -> None:
    write(parts, range(1), OLD)
    assert run("copy", "sample")["edition"] == OLD
    assert list(verdicts(run("copy", "status"))) == [current(), OLD]
    write(parts, range(1, 2), current())
    assert "name one" in refused("copy", "reject")
    assert "there is no edition 'typo'" in refused("copy", "approve", "typo")
    assert "with no address" in refused("copy", "approve", OLD, "--note", "ada@example.com")
    assert "who decides" in refused("copy", "approve", OLD, "--by", " ")
    assert verdicts(run("copy", "status")) == {current(): None, OLD: None}
    run("copy", "reject", OLD)
    assert run("copy", "approve", current())["edition"] == current()


def test_without_drafts_a_sample_says_so(parts: Parts) -> None:
    assert "Nothing is written yet" in shown("copy", "sample")


def test_on_trust_it_is_said_that_nothing_had_to_be_approved(store: Database) -> None:
    write(Parts(store), range(1), current())
    assert "They could before" in shown("copy", "approve", current())
    assert "runs on trust" in shown("copy", "status")


def test_nobody_who_is_written_to_is_shown(parts: Parts) -> None:
    write(parts, range(3), current())
    words = "".join(shown("copy", command) for command in ("sample", "status", "reject"))
    words += shown("copy", "approve", current())
    for private in ("example.com", "Zoë", "Ångström", "u0000"):
        assert private not in words


def test_words_are_shown_as_they_are_written(store: Database) -> None:
    """Square brackets in copy would be markup to the library that draws the table."""
    parts = Parts(store)
    write(parts, range(1), current())
    assert "[ Have a look ]" in shown("copy", "sample")
    assert approving.HOW_TO_GO_ON.startswith("engagement copy sample")
