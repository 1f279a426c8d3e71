"""Takes the pictures of `docs/screens` from a server that runs: `python -m ...screens URL FOLDER [TOKEN]`.

Meant for the store that `make demo` fills, whose people are made up.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from engagement_pipeline_tests.web.dashboard.browsing import Person, Scheme

# Where a list leads to what a picture is to show, its first entry is followed.
PAGES = {
    "overview": ("/", None),
    "users": ("/users?band=at_risk", None),
    "user": ("/users?band=critical&sort=-score", "#results tbody a"),
    "emails": ("/emails?status=delivered", None),
    "email": ("/emails?status=delivered", "#results tbody a"),
    "approvals": ("/approvals", None),
    "campaigns": ("/campaigns", None),
    "suppressions": ("/suppressions", None),
    "system": ("/system", None),
}
LOOKS: tuple[tuple[str, int, Scheme], ...] = (("", 1280, "light"), ("-dark", 1280, "dark"), ("-phone", 390, "light"))
DARK = ("overview", "user")
HIGHEST = {1280: 1600, 390: 1400}


def main(url: str, folder: Path, token: str | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for suffix, width, scheme in LOOKS:
            person = Person(browser, url, width, scheme)
            if token is not None:
                person.log_in(token)
            for name, (path, first) in PAGES.items():
                if scheme == "light" or name in DARK:
                    page = person.go(path)
                    if first is not None:
                        page.locator(first).first.click()
                    take(page, width, folder / f"{name}{suffix}.png")
            person.close()
        browser.close()


def take(page: Page, width: int, path: Path) -> None:
    """Take the page from its top, as far as anybody would scroll in a picture."""
    page.wait_for_load_state("networkidle")
    whole: int = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": min(whole, HIGHEST[width])})
    page.screenshot(path=path)
    page.set_viewport_size({"width": width, "height": 900})


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
