"""Users: find, read, create, change, delete."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from engagement_pipeline.users.rows import StoredUser
from engagement_pipeline.users.store import AlreadyThereError, ChangedMeanwhileError, NotThereError
from engagement_pipeline.web import changes
from engagement_pipeline.web.api.answers import patched, user_answer, user_of
from engagement_pipeline.web.api.calls import Call, NoParameters, Reader, UserId, Writer
from engagement_pipeline.web.api.described import ETAG, LOCATION, answers, problems, user_links
from engagement_pipeline.web.api.idempotency import Done, IdempotencyKey, Once
from engagement_pipeline.web.api.lists import Pager
from engagement_pipeline.web.api.models.common import Page
from engagement_pipeline.web.api.models.users import NewUser, UserAnswer, UserFields, UserPatch, UserQuery, UserSummary
from engagement_pipeline.web.api.preconditions import IfMatch, NeedsIfMatch, Versions, etag
from engagement_pipeline.web.api.problems import ProblemError, not_found
from engagement_pipeline.web.queries.users import UserFilters, list_users

_Done = TypeVar("_Done")

router = APIRouter(prefix="/api/users", tags=["Users"])

_CREATED = answers(
    201,
    "The user, with the score computed at once.",
    headers=ETAG | LOCATION,
    links=user_links("$response.body#/user_id"),
)
_READ = answers(
    200, "The user, with the score computed at once.", headers=ETAG, links=user_links("$response.body#/user_id")
)


@router.get(
    "",
    operation_id="list_users",
    responses=problems(400),
)
def list_(call: Reader, query: Annotated[UserQuery, Query()]) -> Page[UserSummary]:
    """List users by band, score, name, address or last order.

    Scores are those last published; a user by itself has the one of this moment.
    """
    pager = Pager(call, query)
    filters = UserFilters(query.q, query.band, query.score_from, query.score_to, query.sort)
    with call.pipeline.database.read() as connection:
        page = list_users(connection, filters, query.limit, pager.after, call.pipeline.secret_key)
    return Page(items=[UserSummary.model_validate(user) for user in page.users], next=pager.next(page.following))


@router.post(
    "", operation_id="create_user", response_model=UserAnswer, status_code=201, responses=_CREATED | problems(409, 410)
)
def create(call: Writer, _: NoParameters, user: NewUser, idempotency_key: IdempotencyKey = None) -> JSONResponse:
    """Create a user. The pipeline reacts within seconds."""
    new = user_of(call, user.user_id, user).model_copy(update={"created_at": user.created_at})

    def do() -> Done:
        try:
            created = changes.create_user(call.pipeline.store, new, call.by)
        except AlreadyThereError:
            raise ProblemError(HTTPStatus.CONFLICT, "There is a user of this id: change it.") from None
        headers = {"ETag": etag(created.version), "Location": f"/api/users/{quote(created.user_id, safe='')}"}
        return Done(user_answer(call, created), HTTPStatus.CREATED, headers, created.user_id)

    return Once(call, idempotency_key, user).within(do)


@router.get("/{user_id}", operation_id="get_user", responses=_READ | problems(404))
def get(call: Reader, _: NoParameters, user_id: UserId, response: Response) -> UserAnswer:
    """Read a user with the score, its band, and why it is what it is."""
    user = call.pipeline.store.get_user(user_id)
    if user is None:
        raise not_found("user")
    return _answer(call, user, response)


@router.put("/{user_id}", operation_id="replace_user", responses=_READ | problems(404, 412, 428))
def replace(
    call: Writer, _: NoParameters, user_id: UserId, versions: NeedsIfMatch, user: UserFields, response: Response
) -> UserAnswer:
    """Say anew what the shop knows of a user; what is left out is forgotten."""
    new = user_of(call, user_id, user)
    changed = _with(
        call, user_id, versions, lambda before: changes.change_user(call.pipeline.store, before, new, call.by)
    )
    return _answer(call, changed, response)


@router.patch("/{user_id}", operation_id="change_user", responses=_READ | problems(404, 412, 428))
def change(
    call: Writer, _: NoParameters, user_id: UserId, versions: NeedsIfMatch, user: UserPatch, response: Response
) -> UserAnswer:
    """Change some of what the shop knows of a user; what is left out stays."""

    def change(before: StoredUser) -> StoredUser:
        return changes.change_user(call.pipeline.store, before, patched(call, before, user), call.by)

    return _answer(call, _with(call, user_id, versions, change), response)


@router.delete(
    "/{user_id}", operation_id="delete_user", status_code=204, responses=problems(404, 412) | answers(204, "Deleted.")
)
def delete(call: Writer, _: NoParameters, user_id: UserId, versions: IfMatch) -> Response:
    """Delete a user with all orders.

    What was sent and reported stays; to take that away too, and never to write to the person again, erase them.
    """
    _with(call, user_id, versions, lambda before: changes.delete_user(call.pipeline.store, before, call.by))
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _with(call: Call, user_id: str, versions: Versions, do: Callable[[StoredUser], _Done]) -> _Done:
    """Do something with a user of a version that the request is good for; anew where that has changed meanwhile."""
    while True:
        user = call.pipeline.store.get_user(user_id)
        if user is None:
            raise not_found("user")
        versions.check(user.version)
        try:
            return do(user)
        except ChangedMeanwhileError:
            continue
        except NotThereError:
            raise not_found("user") from None


def _answer(call: Call, user: StoredUser, response: Response) -> UserAnswer:
    response.headers["ETag"] = etag(user.version)
    return user_answer(call, user)
