"""The README shows every page as it is: a picture for each, in light and on a phone."""

import re

from engagement_pipeline.platform.settings import PROJECT_ROOT
from engagement_pipeline.web.dashboard.rendering import NAVIGATION
from engagement_pipeline_tests.web.dashboard.screens import DARK, PAGES

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")


def test_every_page_of_the_navigation_has_a_picture() -> None:
    assert {path.partition("?")[0] for path, _ in PAGES.values()} == {path for path, _ in NAVIGATION}


def test_every_picture_is_there_and_in_the_readme() -> None:
    wanted = {f"{name}{look}.png" for name in PAGES for look in ("", "-phone")} | {f"{name}-dark.png" for name in DARK}
    assert {path.name for path in (PROJECT_ROOT / "docs" / "screens").iterdir()} == wanted
    shown = set(re.findall(r"\(docs/screens/([\w-]+\.png)\)", README))
    assert shown == wanted - {"user-dark.png"}
