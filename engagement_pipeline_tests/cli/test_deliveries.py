"""What a person does about deliveries and suppressions from the command line."""

import csv
import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from engagement_pipeline.cli import app
from engagement_pipeline.cli.output import progress, progress_of_total
from engagement_pipeline.delivery import breaker, suppressions
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform.settings import get_settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.delivery.sent_emails import add_events, add_sent

runner = CliRunner()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The store that commands in this process use."""
    for name in [name for name in os.environ if name.startswith("ENGAGEMENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ENGAGEMENT_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()
    database = Database(get_settings().store_url)
    upgrade(database)
    yield database
    database.close()
    get_settings.cache_clear()


def run(*arguments: str) -> dict[str, Any]:
    result = runner.invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def refused(*arguments: str) -> str:
    """Run a command that is to end with one sentence and exit code 2 (`main` turns the error into these)."""
    from engagement_pipeline.platform.errors import BadInputError

    with pytest.raises(BadInputError) as caught:
        runner.invoke(app, list(arguments), catch_exceptions=False)
    return str(caught.value)


def now() -> datetime:
    return datetime.now(timezone.utc)


def test_unknown_e_mails_are_listed_and_resolved(store: Database) -> None:
    older, younger = (add_sent(store, 1, now() - timedelta(hours=hours), "unknown")[0] for hours in (5, 3))
    answer = run("deliveries", "unknown")
    assert answer["number"] == 2
    assert [(row["email_id"], row["campaign"], row["provider"]) for row in answer["oldest"]] == [
        (older, "win-back", "ses"),
        (younger, "win-back", "ses"),
    ]
    assert len(run("deliveries", "unknown", "--limit", "1")["oldest"]) == 1
    assert younger in runner.invoke(app, ["deliveries", "unknown"], env={"COLUMNS": "80"}).stdout
    assert run("deliveries", "resolve", older, "sent", "--note", "seen in the console")["status"] == "sent"
    assert run("deliveries", "resolve", younger, "failed")["status"] == "failed"
    assert run("deliveries", "unknown") == {"number": 0, "oldest": []}
    with store.read() as connection:
        rows = connection.exec_driver_sql("SELECT email_id, status FROM emails").fetchall()
        [original] = connection.exec_driver_sql("SELECT original FROM email_events WHERE kind = 'send'").scalars()
    assert {tuple(row) for row in rows} == {(older, "sent"), (younger, "failed")}
    assert json.loads(original)["note"] == "seen in the console"
    assert "is not the id" in refused("deliveries", "resolve", older, "failed")


def test_what_a_person_has_resolved_stays_so_when_statuses_are_rebuilt(store: Database) -> None:
    became = {
        resolution: add_sent(store, 1, now() - timedelta(hours=5), "unknown")[0] for resolution in ("sent", "failed")
    }
    for resolution, email_id in became.items():
        run("deliveries", "resolve", email_id, resolution, "--note", "seen in the console")
    assert run("deliveries", "replay") == {"rows": 2, "changed": 0}
    with store.read() as connection:
        rows = connection.exec_driver_sql("SELECT status, email_id FROM emails").fetchall()
    assert {row[0]: row[1] for row in rows} == became


def test_statuses_are_rebuilt_from_events(store: Database) -> None:
    emails = add_sent(store, 3, now())
    add_events(store, emails[:2], "delivery", now())
    assert run("deliveries", "replay") == {"rows": 3, "changed": 2}
    assert run("status")["emails_by_status"] == {"delivered": 2, "sent": 1}
    assert "0 of them differed" in runner.invoke(app, ["deliveries", "replay"]).stdout


def test_a_note_with_an_address_is_refused(store: Database) -> None:
    [email_id] = add_sent(store, 1, now(), "unknown")
    assert "no address" in refused("deliveries", "resolve", email_id, "sent", "--note", "ada@example.com said so")
    assert run("deliveries", "unknown")["number"] == 1


def test_going_on_after_a_stop_needs_a_person(store: Database) -> None:
    assert run("deliveries", "resume", "--yes") == {"resumed": False, "reason": None}
    add_sent(store, 200, now(), "bounced")
    with store.write() as connection:
        assert breaker.check(connection, now()) is not None
    reason = breaker.judge(200, 200, 0)
    assert reason is not None
    assert run("status")["stopped"] == reason
    assert reason in runner.invoke(app, ["status"]).stdout.replace("\n", " ")
    assert reason in refused("deliveries", "resume")
    assert run("status")["stopped"] == reason
    assert run("deliveries", "resume", "--yes") == {"resumed": True, "reason": reason}
    with store.write() as connection:
        assert breaker.check(connection, now()) is None


def test_a_campaign_that_had_to_stop_is_a_failure(store: Database) -> None:
    add_sent(store, 200, now(), "bounced")
    add_sent(store, 1, None, "queued")
    result = runner.invoke(app, ["send"])
    assert result.exit_code == 1
    shown = " ".join(result.stdout.split())
    assert "200 bounced for good" in shown
    assert "1 e-mails stay queued" in shown


def test_status_shows_unknowns_and_the_warm_up(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = now()
    add_sent(store, 3, moment, "unknown")
    for days in (1, 2):
        add_sent(store, 60, moment - timedelta(days=days))
    answer = run("status")
    assert (answer["unknown"]["number"], answer["warm_up"]) == (3, None)
    monkeypatch.setenv("ENGAGEMENT_SEND_MODE", "live")
    monkeypatch.setenv("ENGAGEMENT_DELIVERY__PROVIDER", "ses")
    get_settings.cache_clear()
    assert run("status")["warm_up"] == {"provider": "ses", "cap_today": 1_000, "sent_today": 3}
    assert "3 of 1,000" in runner.invoke(app, ["status"]).stdout


def test_the_list_is_kept_by_hand(store: Database) -> None:
    key = run("suppressions", "add", "Ada@example.com")["address_key"]
    assert run("suppressions", "add", "ada@EXAMPLE.com", "--reason", "asked_by_phone") == {
        "address_key": key,
        "added": False,
    }
    run("suppressions", "add", "bob@example.com", "--reason", "asked_by_phone")
    assert run("suppressions", "list")["by_reason"] == {"asked_by_phone": 1, "manual": 1}
    [found] = run("suppressions", "list", "--address", "ADA@example.com")["found"]
    assert (found["address_key"], found["reason"], found["source"]) == (key, "manual", "person")
    assert run("suppressions", "list", "--address", key, "--reason", "complaint")["found"] == []
    assert len(run("suppressions", "list", "--source", "person")["found"]) == 2
    assert run("suppressions", "remove", key) == {"address_key": key, "removed": True}
    assert run("suppressions", "remove", "ada@example.com")["removed"] is False
    assert "not an e-mail address" in refused("suppressions", "add", "nobody")
    assert "code" in refused("suppressions", "add", "c@example.com", "--reason", "He said: no!")
    for arguments in (["list"], ["add", "d@example.com"], ["remove", "d@example.com"], ["remove", "e@example.com"]):
        shown = runner.invoke(app, ["suppressions", *arguments])
        assert shown.exit_code == 0
        assert "@" not in shown.stdout


@pytest.mark.parametrize("arguments", [["list", "--address"], ["add"], ["remove"]])
def test_with_another_key_nobody_is_looked_for(
    store: Database, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    run("suppressions", "add", "ada@example.com")
    monkeypatch.setenv("ENGAGEMENT_SECRET_KEY", "another-secret-key")
    get_settings.cache_clear()
    assert "ENGAGEMENT_SECRET_KEY" in refused("suppressions", *arguments, "ada@example.com")


def test_what_is_no_address_is_refused_in_a_sentence_that_stands_alone(store: Database) -> None:
    assert refused("suppressions", "add", "nope") == "that is not an e-mail address that mail can be sent to"


def test_the_list_comes_from_a_file_and_goes_to_one(store: Database, tmp_path: Path) -> None:
    given, taken = tmp_path / "in.csv", tmp_path / "out.csv"
    given.write_text(f"email,address_key\nada@example.com,{'0' * 64}\nnonsense,\n")
    answer = run("suppressions", "import", str(given))
    assert answer == {"read": 2, "added": 1, "known": 0, "rejected": 1, "foreign_keys": 1}
    shown = " ".join(runner.invoke(app, ["suppressions", "import", str(given)]).stdout.split())
    assert "engagement rejected" in shown
    assert "another secret key" in shown
    assert run("rejected")["by_reason"] == {"invalid_address": 1}
    assert run("suppressions", "export", str(taken)) == {"lines": 1}
    with store.read() as connection:
        [entry] = suppressions.list_suppressions(connection, 2)
    assert [row["address_key"] for row in csv.DictReader(taken.open())] == [entry.address_key]
    assert "does not exist" in refused("suppressions", "import", str(tmp_path / "missing.csv"))


def test_progress_shows_how_much_of_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of_total("Sending", "e-mails") as tell:
        tell(1_200, 5_000)
    with progress("Importing", "lines") as advance:
        advance(3)
        advance(4)
    shown = capsys.readouterr().err
    assert "1,200 of 5,000 e-mails" in shown
    assert "7 lines" in shown


def test_every_command_has_help() -> None:
    group = typer.main.get_command(app)
    for name in ("deliveries", "suppressions"):
        commands = group.commands[name].commands  # type: ignore[attr-defined]
        assert [key for key, command in commands.items() if not command.help] == []
