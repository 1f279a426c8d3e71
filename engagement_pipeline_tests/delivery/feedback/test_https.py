import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery.feedback.errors import BadEventError, ForgedError
from engagement_pipeline.delivery.feedback.https import receive_https
from engagement_pipeline.delivery.tables import email_events
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.tables import rejected_records
from engagement_pipeline_tests.delivery.feedback.examples import text
from engagement_pipeline_tests.delivery.feedback.parts import LATER, add_emails, set_row, state
from engagement_pipeline_tests.delivery.feedback.signing import SUBSCRIBE_URL, TOPIC, Signer
from engagement_pipeline_tests.delivery.parts import SECRET
from engagement_pipeline_tests.delivery.sql_stores import sql_stores

SETTINGS = Settings.model_validate({"secret_key": SECRET, "ses": {"feedback_topic_arn": TOPIC}})


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


class Endpoint:
    def __init__(self, database: Database, signer: Signer) -> None:
        self.database = database
        self.certificates = signer.certificates()
        self.confirmed: list[str] = []

    def post(self, body: str) -> str:
        return receive_https(body, SETTINGS, sql_stores(self.database), self.certificates, self.confirmed.append, LATER)

    def kept(self) -> tuple[int, int]:
        with self.database.read() as connection:
            counts = [sa.select(sa.func.count()).select_from(table) for table in (email_events, rejected_records)]
            events, rejected = (connection.execute(count).scalar_one() for count in counts)
        return events, rejected


@pytest.fixture
def endpoint(database: Database, signer: Signer) -> Endpoint:
    return Endpoint(database, signer)


def test_what_sns_has_signed_is_taken(endpoint: Endpoint, signer: Signer) -> None:
    (email_id,) = add_emails(endpoint.database, 1)
    set_row(endpoint.database, email_id, "sent", sent_at=LATER)
    assert endpoint.post(signer.notification(text("event_delivery", email_id), "2")) == "taken"
    assert state(endpoint.database)["rows"][email_id][0] == "delivered"


def test_a_subscription_to_our_topic_is_confirmed_and_no_other(endpoint: Endpoint, signer: Signer) -> None:
    assert endpoint.post(signer.confirmation()) == "confirmed"
    with pytest.raises(ForgedError):
        endpoint.post(signer.confirmation(TopicArn=TOPIC + "2"))
    with pytest.raises(ForgedError):
        endpoint.post(Signer().confirmation())
    assert endpoint.confirmed == [SUBSCRIBE_URL]


def test_the_end_of_a_subscription_is_not_undone(endpoint: Endpoint, signer: Signer) -> None:
    assert endpoint.post(signer.confirmation("UnsubscribeConfirmation")) == "ignored"
    assert not endpoint.confirmed


def test_a_genuine_message_that_cannot_be_read_is_kept_for_people(endpoint: Endpoint, signer: Signer) -> None:
    assert endpoint.post(signer.notification("Bounce!")) == "set_aside"
    assert endpoint.kept() == (0, 1)


def test_what_anybody_could_have_posted_leaves_no_trace(endpoint: Endpoint) -> None:
    with pytest.raises(ForgedError):
        endpoint.post(Signer().notification(text("event_complaint")))
    for body in (text("event_complaint"), "", "{}"):
        with pytest.raises(BadEventError):
            endpoint.post(body)
    assert endpoint.kept() == (0, 0)
