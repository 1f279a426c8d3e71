"""Settings decide whom the client asks, with which key, and how patiently; nothing else does."""

import os
from typing import Any

import openai
import pytest
from pydantic import SecretStr

from engagement_pipeline.copywriting.openai.client import client_options
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import CopywritingSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.copywriting.openai.parts import briefs, writer
from engagement_pipeline_tests.model_server import ModelServer, reply


def client(**settings: Any) -> openai.OpenAI:
    return openai.OpenAI(**client_options(Settings.model_validate(settings)))


@pytest.fixture(autouse=True)
def _other_words_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client would read by itself."""
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere.example/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "another-key")


def test_with_a_key_alone_openai_is_asked() -> None:
    asking = client(openai_api_key=SecretStr("sk-a-key"), openai_base_url="")
    assert str(asking.base_url) == "https://api.openai.com/v1/"
    assert asking.api_key == "sk-a-key"


def test_a_server_of_ones_own_needs_no_key() -> None:
    asking = client(openai_api_key=SecretStr(""), openai_base_url="http://127.0.0.1:9/v1")
    assert str(asking.base_url) == "http://127.0.0.1:9/v1/"
    assert asking.api_key == "none"


def test_the_client_waits_as_long_as_settings_say_and_never_retries_by_itself() -> None:
    asking = client(copywriting=CopywritingSettings(timeout_seconds=7))
    assert (asking.timeout, asking.max_retries) == (7, 0)


@pytest.mark.integration
def test_settings_name_the_model_and_where_an_answer_is_cut_off(model_server: ModelServer, store: Database) -> None:
    model_server.say(reply())
    [text] = writer(model_server.base_url, store, model="some-model", max_answer_tokens=321).write(briefs(1))
    [call] = model_server.calls()
    assert (call["body"]["model"], call["body"]["max_completion_tokens"]) == ("some-model", 321)
    assert text is not None
    assert text.provenance is not None
    assert text.provenance.model == "some-model"


@pytest.mark.integration
def test_an_answer_that_takes_longer_than_settings_say_is_not_waited_for(
    model_server: ModelServer, store: Database
) -> None:
    model_server.say({"type": "delay", "seconds": 1.5, "times": 1}, reply(times=2))
    copywriter = writer(model_server.base_url, store, timeout_seconds=0.3)
    [text] = copywriter.write(briefs(1))
    assert text is not None
    assert (text.author, copywriter.spent.answers) == ("openai", 1)
    assert len(model_server.questions()) == 2
