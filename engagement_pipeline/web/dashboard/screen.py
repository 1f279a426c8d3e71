"""What the dashboard's handlers are given: the parts, who looks, and a way to answer with a page of the frame."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import FormData, UploadFile

from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.web.changes import By
from engagement_pipeline.web.dashboard.rendering import Said, Templates
from engagement_pipeline.web.parts import Parts
from engagement_pipeline.web.security.access import Session
from engagement_pipeline.web.security.people import ReadSession, WriteSession, csrf_token

# What was done stands in the address as a code, so that a page says it once it is loaded, and nothing else about it.
_SAID: Final[Mapping[str, Said]] = {
    "added": Said("The user was added. The pipeline reacts within seconds."),
    "saved": Said("Saved. The pipeline reacts within seconds."),
    "unchanged": Said("Nothing had changed, so nothing was saved.", "plain"),
    "requested": Said("The e-mail is written and waits for the sender."),
    "waits_for_hours": Said("The e-mail is written and leaves as soon as the person's sending hours begin."),
    "erased": Said("The person was erased. The address will never be written to again."),
    "erasing": Said("Erasing has begun and is finished by itself; what is left is done by the next run.", "warn"),
    "resolved": Said("Noted. The provider's own word still counts for more."),
    "not_unknown": Said("It is known by now what became of this e-mail.", "warn"),
    "suppressed": Said("The address is on the list now."),
    "was_suppressed": Said("The address was on the list already; its reason stays.", "plain"),
    "taken_off": Said("The address is off the list."),
    "stays": Said("This person was erased, and is never written to again.", "warn"),
    "not_on_list": Said("That address was not on the list.", "warn"),
    "resumed": Said("Sending may go on. Only what is sent from now on is judged."),
    "not_stopped": Said("Sending had not stopped.", "plain"),
    "decided_already": Said("Somebody has decided on this edition meanwhile, or nothing of it waits.", "warn"),
    "approved": Said("Approved. What waited is sent at its next turn."),
    "rejected": Said("Rejected. None of it is sent."),
}


class Screen:
    """One request of somebody who was let in."""

    def __init__(self, request: Request, pipeline: Pipeline, session: Session) -> None:
        """Take what the request is answered with."""
        self.request = request
        self.pipeline = pipeline
        self.session = session

    @property
    def by(self) -> By:
        """Who makes a change, in which request, and when."""
        return By(self.session.actor, self.request.state.request_id, self.pipeline.now())

    def show(
        self, template: str, section: str, *, status: int = HTTPStatus.OK, said: Said | None = None, **facts: Any
    ) -> HTMLResponse:
        """Answer with a page.

        Args:
            template: its file.
            section: the address of the part of the navigation that it belongs to.
            status: of the answer.
            said: what the page says about what was just done; by default what its address names.
            facts: what the template shows.
        """
        templates: Templates = self.request.app.state.templates
        return templates.answer(
            template,
            status,
            section=section,
            session=self.session,
            can_write=self.session.may_write,
            csrf=csrf_token(self.request),
            said=said or _SAID.get(self.request.query_params.get("said", "")),
            now=self.pipeline.now(),
            dagster_url=self.pipeline.settings.web.dagster_url,
            **facts,
        )

    def missing(self, section: str, what: str) -> HTMLResponse:
        """Say within the frame that there is no such thing."""
        return self.show("missing.html.j2", section, status=HTTPStatus.NOT_FOUND, what=what)


def go(path: str, said: str | None = None) -> RedirectResponse:
    """Answer a form: lead on to a page of ours that says what was done."""
    return RedirectResponse(f"{path}?{urlencode({'said': said})}" if said else path, HTTPStatus.SEE_OTHER)


def text(fields: FormData, name: str) -> str:
    """Return what was typed into a field, without blanks around it; empty where nothing, or a file, was sent."""
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def file(fields: FormData, name: str) -> bytes:
    """Return the content of a file that was sent; empty without one."""
    value = fields.get(name)
    return value.file.read() if isinstance(value, UploadFile) else b""


async def _reader(request: Request, pipeline: Parts, session: ReadSession) -> Screen:
    return Screen(request, pipeline, session)


async def _writer(request: Request, pipeline: Parts, session: WriteSession) -> Screen:
    return Screen(request, pipeline, session)


async def _form(request: Request) -> FormData:
    return await request.form()


Reader = Annotated[Screen, Depends(_reader)]
Writer = Annotated[Screen, Depends(_writer)]
Fields = Annotated[FormData, Depends(_form)]
