"""What goes with a person: what refused records say, and the files that speak of them."""

import gzip
from pathlib import Path

import pytest

from engagement_pipeline.platform.change_log import newest
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users import erasing
from engagement_pipeline.users.importing import import_path
from engagement_pipeline.users.models import User
from engagement_pipeline.users.person import Person
from engagement_pipeline.users.rejects import list_rejected
from engagement_pipeline.users.store import SqlUserStore
from engagement_pipeline_tests.conftest import NOW

SECRET = "a-secret-key-for-tests"
ZOE = Person("shop-0042", "zoe@example.com", "Zoë Ångström", secret=SECRET)
HEADER = "user_id,email,name,last_order_at\n"


def importing(database: Database, path: Path) -> None:
    import_path(SqlUserStore(database, SECRET), "user", path, NOW)


def test_only_what_refused_records_of_the_person_say_is_taken_away(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    lines = ["shop-0042,zoe@example.com,Zoë Ångström,yesterday", "shop-0043,not-an-address,Ann,", ",ZOE@example.com,,"]
    file.write_text(HEADER + "\n".join(lines))
    importing(database, file)
    keys = erasing.rejects_about(database, ZOE)
    assert len(keys) == 2
    with database.write() as connection:
        erasing.blank_rejects(connection, keys, NOW)
    assert erasing.rejects_about(database, ZOE) == []
    with database.read() as connection:
        said = {row.line: (row.original, row.reason) for row in list_rejected(connection)}
        assert newest(connection, 0, ["rejected"]) is not None
    assert said[2][0] == said[4][0] == erasing.ERASED
    assert said[2][1] != ""
    assert said[3][0] == lines[1]
    importing(database, file)
    assert erasing.rejects_about(database, ZOE) == [], "importing the same file again does not bring them back"


def test_all_refused_records_are_looked_at(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(erasing, "_BATCH", 2)
    file = tmp_path / "users.csv"
    file.write_text(HEADER + "\n".join(f"shop-0042,zoe@example.com,Zoë,{number} ago" for number in range(7)))
    importing(database, file)
    assert len(erasing.rejects_about(database, ZOE)) == 7


def test_files_that_speak_of_the_person_are_deleted_and_no_others(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    folder = tmp_path / "imported"
    (folder / "deep").mkdir(parents=True)
    about = {
        "plain.csv": f"{HEADER}shop-0042,,,\n".encode(),
        "packed.csv.gz": gzip.compress(f"{HEADER}1,ZOE@EXAMPLE.COM,,\n".encode()),
        "deep/lines.jsonl": b'{"name": "Zo\\u00eb \\u00c5ngstr\\u00f6m"}\n',
        "wide.txt": "1\tzoe@example.com\n".encode("utf-16"),
        "not a parquet.parquet": b"PAR1 zoe@example.com",
    }
    others = {
        "other.csv": f"{HEADER}shop-00421,zoey@example.com,Zoë,\n".encode(),
        "broken.csv.gz": gzip.compress(b"zoey")[:-4],
        "empty.csv": b"",
    }
    for name, content in {**about, **others}.items():
        (folder / name).write_bytes(content)
    table = pa.table({"user_id": ["u1", "u2"], "email": ["ann@example.com", "zoe@example.com"]})
    pyarrow.parquet.write_table(table, folder / "about.parquet")
    pyarrow.parquet.write_table(table.slice(0, 1), folder / "other.parquet")
    assert erasing.delete_files_about([folder, tmp_path / "no such folder"], ZOE) == len(about) + 1
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert left == {*others, "other.parquet"}


def test_a_large_file_is_read_in_pieces_that_cut_nobody_in_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "_CHUNK", 16)
    monkeypatch.setattr(erasing, "_OVERLAP", 15)
    file = tmp_path / "file.csv"
    for place in range(40):
        file.write_text("." * place + "\nzoe@example.com,1\n" + "." * 40)
        assert erasing.delete_files_about([tmp_path], ZOE) == 1
        file.write_text("," * place + "zoe@example.com" + "," * 40)
        assert erasing.delete_files_about([tmp_path], ZOE) == 1
        file.write_text("." * place + "\nshop-00421,1\nmy-shop-0042,1\n")
        assert erasing.delete_files_about([tmp_path], ZOE) == 0


def test_whether_others_have_the_name(database: Database) -> None:
    store = SqlUserStore(database, SECRET)
    store.put_users([User(user_id="u1", name="Zoë Ångström"), User(user_id="u2", name="Ann")], NOW)
    with database.read() as connection:
        assert erasing.is_only_one_called(connection, "u1", "Zoë Ångström")
        assert not erasing.is_only_one_called(connection, "u2", "ZOE Angstrom")
