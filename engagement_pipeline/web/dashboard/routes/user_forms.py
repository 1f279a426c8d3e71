"""The form by which users are added and edited."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final
from zoneinfo import available_timezones

from fastapi import APIRouter, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from engagement_pipeline.users.models import User
from engagement_pipeline.users.rows import StoredUser
from engagement_pipeline.users.store import AlreadyThereError, ChangedMeanwhileError, NotThereError
from engagement_pipeline.web import changes
from engagement_pipeline.web.dashboard.figures import in_path
from engagement_pipeline.web.dashboard.rendering import Said
from engagement_pipeline.web.dashboard.routes.users import SECTION
from engagement_pipeline.web.dashboard.screen import Fields, Screen, Writer, go, text

router = APIRouter(include_in_schema=False)

_EMPTY: Final = {
    "user_id": "",
    "name": "",
    "email": "",
    "consent": False,
    "preferred_categories": "",
    "time_zone": "UTC",
    "version": "",
}
_OVERTAKEN: Final = Said("Somebody else changed this user meanwhile: this is how it stands now.", "warn")


@router.get("/users/new")
def ask_for_new(screen: Writer) -> Response:
    """Show an empty form."""
    return _form(screen, _EMPTY)


@router.post("/users/new")
def add(screen: Writer, fields: Fields) -> Response:
    """Add a user."""
    values = _typed(fields)
    user = _read(values)
    if not isinstance(user, User):
        return _form(screen, values, wrong=user)
    try:
        changes.create_user(screen.pipeline.store, user, screen.by)
    except AlreadyThereError:
        return _form(screen, values, wrong={"user_id": "There is a user with this id already."})
    return go(f"/user/{in_path(user.user_id)}", "added")


@router.get("/users/edit/{user_id:path}")
def ask_for_changes(screen: Writer, user_id: str) -> Response:
    """Show what is known of a user, to be changed."""
    stored = screen.pipeline.store.get_user(user_id)
    return screen.missing(SECTION, "user") if stored is None else _form(screen, _known(stored), user_id)


@router.post("/users/edit/{user_id:path}")
def edit(screen: Writer, fields: Fields, user_id: str) -> Response:
    """Change a user, unless somebody else has meanwhile."""
    values = {**_typed(fields), "user_id": user_id}
    store = screen.pipeline.store
    stored = store.get_user(user_id)
    if stored is None:
        return screen.missing(SECTION, "user")
    if values["version"] != str(stored.version):
        return _form(screen, _known(stored), user_id, said=_OVERTAKEN, status=HTTPStatus.CONFLICT)
    user = _read(values, stored)
    if not isinstance(user, User):
        return _form(screen, values, user_id, wrong=user)
    try:
        changed = changes.change_user(store, stored, user, screen.by)
    except (ChangedMeanwhileError, NotThereError):
        now = store.get_user(user_id)
        if now is None:
            return screen.missing(SECTION, "user")
        return _form(screen, _known(now), user_id, said=_OVERTAKEN, status=HTTPStatus.CONFLICT)
    return go(f"/user/{in_path(user_id)}", "unchanged" if changed.version == stored.version else "saved")


def _form(
    screen: Screen,
    values: Mapping[str, Any],
    user_id: str | None = None,
    *,
    wrong: Mapping[str, str] | None = None,
    said: Said | None = None,
    status: int | None = None,
) -> Response:
    return screen.show(
        "user_form.html.j2",
        SECTION,
        status=status or (HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK),
        said=said,
        values=values,
        user_id=user_id,
        wrong=wrong or {},
        zones=_zones(),
    )


def _typed(fields: FormData) -> dict[str, Any]:
    return {name: text(fields, name) for name in _EMPTY} | {"consent": text(fields, "consent") == "yes"}


def _known(stored: StoredUser) -> dict[str, Any]:
    return {
        "user_id": stored.user_id,
        "name": stored.name or "",
        "email": stored.email or "",
        "consent": stored.consent,
        "preferred_categories": ", ".join(stored.preferred_categories),
        "time_zone": stored.time_zone,
        "version": stored.version,
    }


def _read(values: Mapping[str, Any], stored: StoredUser | None = None) -> User | dict[str, str]:
    """Return the user that was typed, or what is wrong by field. What the form does not show stays as it was."""
    stated: dict[str, Any] = {} if stored is None else stored.stated._asdict()
    categories = (each.strip() for each in values["preferred_categories"].split(","))
    try:
        return User(
            user_id=values["user_id"],
            name=values["name"] or None,
            email=values["email"] or None,
            consent=values["consent"],
            preferred_categories=tuple(each for each in categories if each),
            time_zone=values["time_zone"] or "UTC",
            **stated,
        )
    except ValidationError as error:
        return {str(each["loc"][0]) if each["loc"] else "": _sentence(each["msg"]) for each in error.errors()}


def _sentence(message: str) -> str:
    """Return what is wrong, without what was typed: the models never repeat it."""
    return f"{message[:1].upper()}{message[1:]}."


@cache
def _zones() -> list[str]:
    return sorted(available_timezones())
