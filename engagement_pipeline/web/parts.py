"""What the handlers of a request are given. Asynchronous, since none of it waits: no thread is taken for it."""

from typing import Annotated

from fastapi import Depends, Request

from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.web.pages import Pages


async def _pipeline(request: Request) -> Pipeline:
    pipeline: Pipeline = request.app.state.pipeline
    return pipeline


async def _pages(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


async def _body(request: Request) -> bytes:
    return await request.body()


Parts = Annotated[Pipeline, Depends(_pipeline)]
BrandPages = Annotated[Pages, Depends(_pages)]
Body = Annotated[bytes, Depends(_body)]
