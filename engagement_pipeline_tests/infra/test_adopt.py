"""Tables of an earlier deployment get what they lack, and keep what they hold."""

import json
from typing import Any

import boto3
import pytest

from engagement_pipeline.platform.dynamodb_tables import EMAILS, ORDER_OWNERS, STREAM_VIEW, USERS
from engagement_pipeline_tests.aws_server import REGION
from infra import adopt
from infra.adopt import Adoption, UnfitError
from infra.config import ExistingTable

pytestmark = pytest.mark.integration


@pytest.fixture
def dynamodb(ministack: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack)
    return boto3.session.Session(region_name=REGION).client("dynamodb")


def _table(dynamodb: Any, name: str, key: str, **more: Any) -> None:
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        **more,
    )


def test_what_is_missing_is_added_and_what_is_there_stays(dynamodb: Any) -> None:
    _table(dynamodb, "Emails", "emailId")
    item = {"emailId": {"S": "e-1"}, "userId": {"S": "u-1"}, "generatedAt": {"S": "2024-05-01T10:00:00Z"}}
    dynamodb.put_item(TableName="Emails", Item=item)
    adoption = Adoption(dynamodb, 0.05)
    lacking = ["stream", *(f"index {index.name}" for index in EMAILS.indexes)]
    assert adoption.missing(EMAILS, "Emails") == lacking
    assert list(adoption.adopt(EMAILS, "Emails")) == lacking
    assert adoption.missing(EMAILS, "Emails") == []
    assert list(adoption.adopt(EMAILS, "Emails")) == []
    assert dynamodb.get_item(TableName="Emails", Key={"emailId": {"S": "e-1"}})["Item"] == item
    found = dynamodb.query(
        TableName="Emails",
        IndexName="user",
        KeyConditionExpression="userId = :user",
        ExpressionAttributeValues={":user": {"S": "u-1"}},
    )
    assert found["Count"] == 1
    assert adoption.stream_of("Emails").startswith(f"arn:aws:dynamodb:{REGION}:")


def _with_numbers(dynamodb: Any, name: str, number: str) -> None:
    """Make a table of e-mails with an index by a number."""
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "emailId", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "emailId", "AttributeType": "S"},
            {"AttributeName": number, "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "earlier",
                "KeySchema": [{"AttributeName": number, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def test_an_index_of_its_own_by_a_number_stays_one(dynamodb: Any) -> None:
    _with_numbers(dynamodb, "Numbered", "engagementScoreAtTime")
    asked: list[dict[str, Any]] = []
    # AWS refuses a table that says of an attribute what it is not; the emulator does not.
    dynamodb.meta.events.register(
        "provide-client-params.dynamodb.UpdateTable", lambda params, **_: asked.append(dict(params))
    )
    assert f"index {EMAILS.indexes[-1].name}" in list(Adoption(dynamodb, 0.05).adopt(EMAILS, "Numbered"))
    defined = [each["AttributeDefinitions"] for each in asked if "AttributeDefinitions" in each]
    assert len(defined) == len(EMAILS.indexes)
    assert all({"AttributeName": "engagementScoreAtTime", "AttributeType": "N"} in each for each in defined)


def test_what_it_indexes_as_a_number_cannot_be_indexed_as_a_text(dynamodb: Any) -> None:
    _with_numbers(dynamodb, "Dated", "generatedAt")
    with pytest.raises(UnfitError, match="generatedAt"):
        Adoption(dynamodb, 0.05).missing(EMAILS, "Dated")


def test_a_table_of_another_kind_is_left_alone(dynamodb: Any) -> None:
    _table(dynamodb, "Clients", "clientId")
    adoption = Adoption(dynamodb)
    with pytest.raises(UnfitError, match="clientId, and users need userId"):
        list(adoption.adopt(USERS, "Clients"))
    assert not dynamodb.describe_table(TableName="Clients")["Table"].get("StreamSpecification")


def test_a_stream_that_somebody_reads_is_not_ended(dynamodb: Any) -> None:
    _table(
        dynamodb, "Users", "userId", StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    )  # fmt: skip
    with pytest.raises(UnfitError, match="KEYS_ONLY"):
        Adoption(dynamodb).missing(USERS, "Users")


def test_it_says_what_the_deployments_file_needs(dynamodb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    _table(
        dynamodb, "Users", "userId", StreamSpecification={"StreamEnabled": True, "StreamViewType": STREAM_VIEW}
    )  # fmt: skip
    _table(dynamodb, "Owners", "orderId")
    assert adopt.main(["users=Users", "order_owners=Owners", "--check"]) == 0
    assert capsys.readouterr().out == "Users: index address is missing\n"
    assert adopt.main(["users=Users", f"{ORDER_OWNERS.name}=Owners"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Users: index address added\n")
    tables = json.loads(said.split('"existing_tables": ')[1])
    assert ExistingTable(**tables["users"]).stream_arn.endswith(
        dynamodb.describe_table(TableName="Users")["Table"]["LatestStreamLabel"]
    )
    assert ExistingTable(**tables["order_owners"]) == ExistingTable("Owners")


@pytest.mark.parametrize(("word", "code"), [("clients=Users", 2), ("users", 2), ("users=Nobody", 1)])
def test_what_it_cannot_do_it_says(dynamodb: Any, capsys: pytest.CaptureFixture[str], word: str, code: int) -> None:
    assert adopt.main([word]) == code
    assert capsys.readouterr().out
