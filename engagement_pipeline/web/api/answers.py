"""From what the store says to what the API answers with."""

from collections.abc import Collection, Mapping, Sequence

from pydantic import ValidationError

from engagement_pipeline.scoring.at_once import scores_at_once
from engagement_pipeline.scoring.population import published_population
from engagement_pipeline.users.importing.fields import FUTURE_TOLERANCE
from engagement_pipeline.users.models import Order, OrderStatus, User
from engagement_pipeline.users.rows import StoredUser
from engagement_pipeline.web.api.calls import Call
from engagement_pipeline.web.api.models.common import ExplainedScore, Score
from engagement_pipeline.web.api.models.orders import OrderFields, UserScore
from engagement_pipeline.web.api.models.users import SuppressedBy, UserAnswer, UserFields
from engagement_pipeline.web.api.problems import FieldError, field_errors, not_valid
from engagement_pipeline.web.queries.scoring import NO_POPULATION, explained
from engagement_pipeline.web.queries.users import user_detail

_SHOWN = (
    *("user_id", "email", "name", "preferred_categories", "consent", "time_zone", "order_count", "order_days"),
    *("average_order_value", "first_order_at", "last_order_at", "last_email_at", "created_at", "updated_at", "version"),
)


def user_answer(call: Call, user: StoredUser) -> UserAnswer:
    """Return everything about a user, with the score of this moment."""
    with call.pipeline.database.read() as connection:
        detail = user_detail(connection, user)
        explanation = explained(connection, user, call.pipeline.settings.scoring, call.now.date())
    values = {name: getattr(user, name) for name in _SHOWN}
    return UserAnswer(
        **{**values, "preferred_categories": list(user.preferred_categories)},
        emails_since_order=user.touches_since_order,
        score=None if explanation is None else ExplainedScore.model_validate(explanation),
        why_no_score=NO_POPULATION if explanation is None else None,
        suppression=None if detail.suppression is None else SuppressedBy.model_validate(detail.suppression),
        open_email_id=None if detail.open_email is None else detail.open_email[0],
    )


def score_answers(call: Call, user_ids: Collection[str]) -> list[UserScore]:
    """Return the scores of users at this moment, in the order of their ids."""
    users: Sequence[StoredUser] = sorted(call.pipeline.store.get_users(user_ids), key=lambda user: user.user_id)
    with call.pipeline.database.read() as connection:
        population = published_population(connection)
    if population is None:
        return [UserScore(user_id=user.user_id, score=None, why_no_score=NO_POPULATION) for user in users]
    scores = scores_at_once(users, population, call.pipeline.settings.scoring, call.now.date())
    return [
        UserScore(
            user_id=user.user_id,
            score=Score(score=scores[user.user_id].score, band=scores[user.user_id].band),
            why_no_score=None,
        )
        for user in users
    ]


def user_of(call: Call, user_id: str, fields: UserFields) -> User:
    """Return the user that was sent, checked as a whole.

    Raises:
        ProblemError: 422.
    """
    values = {**fields.model_dump(), "preferred_categories": tuple(fields.preferred_categories)}
    _check_moments(call, values)
    return _user({**values, "user_id": user_id})


def patched(call: Call, before: StoredUser, fields: UserFields) -> User:
    """Return a user with what was sent in place of what was known.

    Raises:
        ProblemError: 422.
    """
    sent = fields.model_dump(exclude_unset=True)
    _check_moments(call, sent)
    if "preferred_categories" in sent:
        sent["preferred_categories"] = tuple(sent["preferred_categories"])
    stated = before.stated
    known = {
        "user_id": before.user_id,
        "email": before.email,
        "name": before.name,
        "preferred_categories": before.preferred_categories,
        "consent": before.consent,
        "time_zone": before.time_zone,
        **stated._asdict(),
    }
    return _user({**known, **sent})


def order_of(call: Call, fields: OrderFields, place: str = "") -> Order:
    """Return the order that was sent, checked as a whole; `place` says where it stood.

    Raises:
        ProblemError: 422.
    """
    values = fields.model_dump()
    _check_moments(call, values, place)
    try:
        return Order.model_validate({**values, "skus": tuple(fields.skus), "status": OrderStatus(fields.status)})
    except ValidationError as error:
        raise not_valid([_placed(each, place) for each in field_errors(_found(error))]) from None


def _user(values: Mapping[str, object]) -> User:
    try:
        return User.model_validate(values)
    except ValidationError as error:
        raise not_valid(field_errors(_found(error))) from None


def _found(error: ValidationError) -> list[Mapping[str, object]]:
    return [dict(each) for each in error.errors(include_input=False, include_url=False, include_context=False)]


def _check_moments(call: Call, values: Mapping[str, object], place: str = "") -> None:
    latest = call.now + FUTURE_TOLERANCE
    late = [name for name in _PAST if (moment := values.get(name)) is not None and moment > latest]  # type: ignore[operator]
    if late:
        raise not_valid(
            [
                _placed(
                    FieldError(field=name, reason="in_the_future", message="is more than a day ahead of now"), place
                )
                for name in late
            ]
        )


_PAST = ("ordered_at", "first_order_at", "last_order_at", "created_at")


def _placed(error: FieldError, place: str) -> FieldError:
    return error.model_copy(update={"field": f"{place}{error.field}"})
