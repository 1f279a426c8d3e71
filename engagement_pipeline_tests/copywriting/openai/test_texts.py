"""Texts that were paid for, in SQLite and in PostgreSQL."""

from engagement_pipeline.copywriting.openai.answers import Usage
from engagement_pipeline.copywriting.openai.texts import StoredText, TextKey, TextStore
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.copywriting.samples import copy

KEY = TextKey("f" * 32, "1.abc", "some-model", 0)
TEXT = StoredText(KEY, copy(), (), Usage(1_000, 200), 0.0012)


def test_what_is_kept_is_found_as_it_was(database: Database) -> None:
    store = TextStore(database)
    failed = StoredText(KEY._replace(number=1), None, ("json", "truncated"), Usage(5, 6), 0.1)
    assert store.keep(TEXT, NOW) == TEXT
    assert store.keep(failed, NOW) == failed
    assert store.find([KEY, failed.key]) == {KEY: TEXT, failed.key: failed}


def test_only_what_was_made_from_the_same_is_found(database: Database) -> None:
    store = TextStore(database)
    store.keep(TEXT, NOW)
    others = [
        KEY._replace(number=1),
        KEY._replace(model="another"),
        KEY._replace(prompt_version="2.abc"),
        KEY._replace(fingerprint="e" * 32),
    ]
    assert store.find(others) == {}


def test_of_two_the_first_stands(database: Database) -> None:
    store = TextStore(database)
    store.keep(TEXT, NOW)
    second = StoredText(KEY, copy(subject="Quite another subject"), (), Usage(7, 7), 0.7)
    assert TextStore(database).keep(second, NOW) == TEXT
    assert store.find([KEY]) == {KEY: TEXT}


def test_many_are_found_at_once(database: Database) -> None:
    store = TextStore(database)
    keys = [KEY._replace(fingerprint=f"{number:032x}") for number in range(1_203)]
    for key in keys[::400]:
        store.keep(StoredText(key, None, (), Usage(1, 1), 0), NOW)
    assert set(store.find(keys)) == set(keys[::400])
