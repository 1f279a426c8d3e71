"""Where SNS posts what SES reports, if the settings name the topic; what it says is `delivery.feedback`'s to judge."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from engagement_pipeline.delivery.feedback.errors import BadEventError, ForgedError
from engagement_pipeline.delivery.feedback.https import receive_https
from engagement_pipeline.web.parts import Body, Parts

router = APIRouter(include_in_schema=False)


@router.post("/webhooks/ses")
def receive(request: Request, pipeline: Parts, body: Body) -> Response:
    """Take one message of SNS; nobody learns why theirs was refused. SNS sends again what is answered with 5xx."""
    if not pipeline.settings.ses.feedback_topic_arn:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    state = request.app.state
    try:
        receive_https(
            body.decode(), pipeline.settings, pipeline.stores, state.certificates, state.fetch, pipeline.now()
        )
    except (BadEventError, UnicodeDecodeError):
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    except ForgedError:
        return Response(status_code=HTTPStatus.FORBIDDEN)
    except OSError:
        return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE)
    return Response(status_code=HTTPStatus.OK)
