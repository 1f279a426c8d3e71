"""What a deployment's file may say, and in which words it is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.config import EXAMPLE, DeploymentError, load


def _with(folder: Path, **changes: Any) -> Path:
    content = json.loads(EXAMPLE.read_text()) | changes
    path = folder / "deployment.json"
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    return path


def test_the_example_is_one() -> None:
    assert load(EXAMPLE).sender_domain == "shop.example.com"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"name": "Engagement"}, "name"),
        ({"name": "x" * 21}, "name"),
        ({"region": "Frankfurt"}, "region"),
        ({"sender_domain": "shop"}, "sender_domain"),
        ({"sender_domain": "https://shop.net"}, "sender_domain"),
        ({"web_host": "shop.net/engagement"}, "web_host"),
        ({"web_host": "same.shop.net", "dagster_host": "same.shop.net"}, "two names"),
        ({"region": "eu-west-1"}, "certificate_arn"),
        ({"alarm_email": "data-team"}, "alarm_email"),
        ({"alarm_email": None}, "alarm_email"),
        ({"web_tasks": 0}, "web_tasks"),
        ({"settings": {"OPENAI_API_KEY": "sk-1"}}, "ENGAGEMENT_"),
        ({"existing_tables": {"clients": {"name": "Clients"}}}, "clients"),
        ({"existing_tables": {"users": {"name": "Users"}}}, "stream_arn of users"),
        ({"existing_tables": {"users": {"called": "Users"}}}, "called"),
        ({"existing_tables": ["Users"]}, "deployment.json"),
        ({"colour": "red"}, "unknown colour"),
    ],
)
def test_what_cannot_be_deployed_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], word: str) -> None:
    with pytest.raises(DeploymentError, match=word):
        load(_with(tmp_path, **changes))


@pytest.mark.parametrize("text", ["", "{", "[]", '"engagement"'])
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(text)
    with pytest.raises(DeploymentError, match=r"deployment\.json"):
        load(path)


def test_tables_of_an_earlier_deployment_are_named_with_their_streams(tmp_path: Path) -> None:
    users = {"name": "Users", "stream_arn": "arn:aws:dynamodb:us-east-1:111122223333:table/Users/stream/2024"}
    found = load(_with(tmp_path, existing_tables={"users": users, "order_owners": {"name": "Owners"}}))
    assert found.existing_tables["users"].name == "Users"
    assert found.existing_tables["order_owners"].stream_arn == ""
