"""A person goes through everything, is erased, and then looked for in every byte of every file."""

import base64
import json
import quopri
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest

from engagement_pipeline.cli.dagster_home import prepare
from engagement_pipeline.cli.demo import run_job
from engagement_pipeline.definitions import build_defs
from engagement_pipeline.defs.importing import IncomingFile
from engagement_pipeline.delivery.erasure import erase
from engagement_pipeline.delivery.events import Event
from engagement_pipeline.delivery.on_request import Writing, request_email
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import GateSettings
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.importing import import_path
from engagement_pipeline_tests.conftest import NOW

ZOE = "shop-0042"
FIRST, LAST = "Xanthippa", "Quillfeäther"
NAME = f"{FIRST} {LAST}"
ADDRESS = "x.quillfeather+shoes@peculiar-domain.example"
OTHERS = 300

USERS = "user_id,email,name,consent,preferred_categories,time_zone\n"
ORDERS = "order_id,user_id,ordered_at,total_value\n"


class Clock:
    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        return self.moment


def write_files(folder: Path) -> None:
    """Users who have gone silent, one of them peculiar; and lines about that one that nobody can use."""
    people = [f"u{n:04},u{n}@example.com,Ann{n % 7} Somebody,true,dresses,UTC\n" for n in range(OTHERS)]
    people.insert(OTHERS // 2, f"{ZOE},{ADDRESS},{NAME},true,dresses,UTC\n")
    people.append(f"shop-0043,{ADDRESS} nonsense,{NAME},true,,UTC\n")
    days = (200, 90)
    bought = [f"{user}-{day},{user},{NOW - timedelta(days=day):%Y-%m-%d},40\n" for user in ids() for day in days]
    bought.append(f"x1,{ZOE},not a date,40\n")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "users.csv").write_text(USERS + "".join(people))
    (folder / "orders.csv").write_text(ORDERS + "".join(bought))


def ids() -> list[str]:
    return [ZOE, *(f"u{n:04}" for n in range(OTHERS))]


def spellings(text: str) -> list[bytes]:
    """Return how a text may stand in a file; base64 depends on where in a group of three bytes it begins."""
    raw = text.encode()
    packed = [base64.b64encode(b"." * shift + raw)[4 if shift else 0 : -4] for shift in range(3)]
    escaped = json.dumps(text)[1:-1].encode()
    wide = [text.encode("utf-16-le"), text.encode("utf-16-be")]
    return [raw, *packed, quopri.encodestring(raw), escaped, quote(text).encode(), *wide]


def traces(folder: Path) -> dict[str, list[str]]:
    """Return the files that hold the person's names or address, by their suffix."""
    # Mail folds base64 into lines.
    wanted = [spelling.lower() for text in (FIRST, LAST, ADDRESS, "quillfeather") for spelling in spellings(text)]
    found: dict[str, list[str]] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes().lower()
            if any(spelling in content or spelling in content.replace(b"\r\n", b"") for spelling in wanted):
                found.setdefault(path.suffix, []).append(path.name)
    return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pipeline(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    home = tmp_path / "local" / "dagster"
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    gate = GateSettings(sending_hour_from=0, sending_hour_to=24, hold_out_share=0.2)
    pipeline = Pipeline(Settings(data_dir=tmp_path / "local", gate=gate), clock)
    prepare(pipeline.settings)
    return pipeline


def fail_to_import(pipeline: Pipeline, text: str) -> None:
    """Drop a file that cannot be read, and let a run fail at it."""
    path = pipeline.settings.incoming_dir / "users.csv"
    path.parent.mkdir()
    path.write_text(text)
    job = build_defs(pipeline.settings, {"pipeline": pipeline}).resolve_job_def("import_files")
    config = dg.RunConfig(ops={"import_file": IncomingFile(path=str(path))})
    with dg.DagsterInstance.get() as instance:
        assert not job.execute_in_process(run_config=config, instance=instance, raise_on_error=False).success
    assert not path.exists()


def is_held_out(pipeline: Pipeline) -> bool:
    with pipeline.database.read() as connection:
        status = emails.select().with_only_columns(emails.c.status).where(emails.c.user_id == ZOE)
        return bool(connection.execute(status).scalar_one() == "held_out")


def effect(pipeline: Pipeline) -> list[tuple[object, ...]]:
    with pipeline.warehouse(read_only=True) as con:
        return con.execute(
            "SELECT segment_kind, segment, mailed, held_out, sent, delivered FROM campaign_effectiveness ORDER BY ALL"
        ).fetchall()


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_erased_and_looked_for_everywhere(pipeline: Pipeline, clock: Clock, tmp_path: Path) -> None:
    folder = pipeline.settings.data_dir
    write_files(folder / "imported")
    for entity in ("user", "order"):
        import_path(pipeline.store, entity, folder / "imported" / f"{entity}s.csv", NOW)
    run_job(pipeline, "refresh_engagement")
    run_job(pipeline, "send_emails")
    assert not is_held_out(pipeline), "choose another address: this one was drawn for the hold-out"
    with pipeline.database.read() as connection:
        email_id = connection.execute(emails.select().where(emails.c.user_id == ZOE)).one().email_id
    key = address_key(ADDRESS, pipeline.secret_key)
    delivered = Event("sns-1", "delivery", email_id, "ses-1", key, NOW, "ses", json.dumps({"destination": [ADDRESS]}))
    pipeline.stores.feedback.take([delivered], NOW)
    fail_to_import(pipeline, f"{NAME};{ADDRESS}\n{ZOE};{ADDRESS}\n")
    clock.moment += timedelta(days=30)
    writing = Writing(
        pipeline.stores, pipeline.settings, pipeline.brand, pipeline.catalogue, lambda: pipeline.copywriter
    )
    assert request_email(writing, ZOE, "marketer", False, clock.moment).status == "queued"
    run_job(pipeline, "react_to_changes")
    run_job(pipeline, "refresh_engagement")
    before = effect(pipeline)
    found = traces(folder)
    assert {".db", ".eml", ".csv"} <= set(found), "what is looked for can be found"
    assert ".duckdb" not in found
    assert not {name for names in found.values() for name in names} & {"runs.db", "event.log", "stdout", "stderr"}

    report = erase(pipeline.stores, pipeline.settings, ZOE, "marketer", clock.moment)
    assert report.left is None
    counts = (report.emails, report.orders, report.rejected_records, report.files)
    # Its two e-mails in the outbox, two imported files, and the one that could not be read.
    assert counts == (2, 2, 2, 5)
    assert traces(folder) == {}
    run_job(pipeline, "react_to_changes")
    run_job(pipeline, "refresh_engagement")
    assert traces(folder) == {}
    with pipeline.warehouse(read_only=True) as con:
        for table in ("raw_users", "raw_orders", "engagement_scores", "at_risk_cohorts", "email_deliveries"):
            assert con.execute(f"SELECT count(*) FROM {table} WHERE user_id = ?", [ZOE]).fetchone() == (0,)
        gone = "SELECT count(*) FROM email_deliveries WHERE user_id LIKE 'erased:%'"
        assert con.execute(gone).fetchone() == (2,)
    assert effect(pipeline) == before, "what counts still counts"

    # The shop sends its list again.
    write_files(tmp_path / "again")
    import_path(pipeline.store, "user", tmp_path / "again" / "users.csv", clock.moment)
    import_path(pipeline.store, "order", tmp_path / "again" / "orders.csv", clock.moment)
    clock.moment += timedelta(days=40)
    run_job(pipeline, "refresh_engagement")
    run_job(pipeline, "send_emails")
    with pipeline.warehouse(read_only=True) as con:
        decision = "SELECT reason FROM at_risk_cohorts WHERE user_id = ?"
        assert con.execute(decision, [ZOE]).fetchall() == [("suppressed",)]
    assert ".eml" not in traces(folder)
    pipeline.database.close()
