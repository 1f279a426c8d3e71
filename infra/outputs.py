"""From what a stack has made to the settings that find it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.data.stack import DataStack


def variables_of(stack: "DataStack") -> dict[str, str]:
    """Return the environment variables of a program that uses the data stack."""
    tables = {f"ENGAGEMENT_DYNAMODB__{name.upper()}_TABLE": table.table_name for name, table in stack.tables.items()}
    return tables | {
        "ENGAGEMENT_AWS_REGION": stack.region,
        "ENGAGEMENT_FILES_BUCKET": stack.storage.files.bucket_name,
        "ENGAGEMENT_DYNAMODB__CHANGES_QUEUE_URL": stack.changes.channel.queue.queue_url,
        "ENGAGEMENT_SES__CONFIGURATION_SET": stack.mail.configuration_set.configuration_set_name,
        "ENGAGEMENT_SES__FEEDBACK_QUEUE_URL": stack.mail.feedback.queue.queue_url,
        "ENGAGEMENT_SES__FEEDBACK_TOPIC_ARN": stack.mail.feedback.topic.topic_arn,
    }


def output_name(variable: str) -> str:
    """Return a variable's name as an output may have one: letters and digits."""
    return "".join(word.capitalize() for word in variable.removeprefix("ENGAGEMENT_").split("_"))
