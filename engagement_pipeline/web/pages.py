"""The pages that recipients see, in the brand's colours: whole in themselves, without a script or another resource."""

from base64 import b64encode
from hashlib import sha256
from http import HTTPStatus

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from engagement_pipeline.copywriting.brand import Brand


class Pages:
    """Renders the pages of one brand."""

    def __init__(self, brand: Brand) -> None:
        """Prepare the brand's style, which is the same on every page."""
        self._environment = Environment(loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined)
        style = self._environment.get_template("style.css.j2").render(brand=brand)
        self._facts = {"brand": brand, "style": Markup(style)}  # noqa: S704 (rendered above, from checked colours)
        digest = b64encode(sha256(style.encode()).digest()).decode()
        self._policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )

    def unsubscribe(self) -> HTMLResponse:
        """Ask whether to unsubscribe; the button posts to the page's own address."""
        return self._page("unsubscribe.html.j2", HTTPStatus.OK)

    def unsubscribed(self) -> HTMLResponse:
        """Confirm."""
        return self._page("unsubscribed.html.j2", HTTPStatus.OK)

    def unknown_link(self) -> HTMLResponse:
        """Help somebody whose link is not one of ours, most often because it was cut in copying."""
        return self.problem(
            HTTPStatus.NOT_FOUND,
            "This link does not work",
            "It may have been cut off on its way. Please open the link in our message itself, or copy it as a whole.",
        )

    def problem(self, status: int, title: str, sentence: str) -> HTMLResponse:
        """Say in a sentence what is wrong, and what helps."""
        return self._page("problem.html.j2", status, title=title, sentence=sentence)

    def _page(self, template: str, status: int, **facts: str) -> HTMLResponse:
        html = self._environment.get_template(template).render(**self._facts, **facts)
        return HTMLResponse(html, status, {"Content-Security-Policy": self._policy})
