"""What pages show, to whom, and what they never do."""

import re
from datetime import timedelta

import pytest

from engagement_pipeline.platform import run_marks
from engagement_pipeline.web.dashboard.static_files import static_files, static_url
from engagement_pipeline_tests.copywriting.samples import brief
from engagement_pipeline_tests.web.dashboard.conftest import Desk, Visitor

PAGES = ("/users", "/users?q=ada", "/user/u00001", "/emails", "/approvals", "/suppressions", "/system")


@pytest.mark.parametrize("page", PAGES)
def test_nobody_sees_a_page_without_logging_in(desk: Desk, page: str) -> None:
    desk.token("marta")
    answer = desk.client().get(page)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=%2F")


@pytest.mark.parametrize("page", PAGES)
def test_pages_load_and_run_nothing_but_our_own_files(desk: Desk, visitor: Visitor, page: str) -> None:
    answer = visitor.client.get(page)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert " style=" not in answer.text
    assert not re.search(r"\son\w+=", answer.text)
    assert not re.search(r"<script(?![^>]*\ssrc=\"/static/)", answer.text)
    loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*?\s(?:src|href)="([^"]+)"', answer.text)
    assert loaded
    assert all(url.startswith("/static/") for url in loaded), loaded


def test_static_files_are_kept_for_ever_under_their_content(desk: Desk) -> None:
    client = desk.client()
    for name in static_files():
        answer = client.get(static_url(name))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert client.get("/static/0000000000000000/app.css").status_code == 404
    assert client.get("/static/..%2f..%2fapp.py/app.css").status_code == 404


def test_users_are_found_by_name_address_and_id(visitor: Visitor) -> None:
    assert "Grace Hopper" not in visitor.see("/users?q=lovel")
    for words in ("Ada", "lovel", "u1@example.com", "u00001"):
        page = visitor.see(f"/users?q={words}")
        assert "Ada Lovelace" in page
        assert 'href="/user/u00001"' in page
    assert "Nobody is found" in visitor.see("/users?q=nobody")


def test_users_are_shown_by_band_the_lowest_score_first(visitor: Visitor) -> None:
    page = visitor.see("/users?band=critical")
    assert page.index("Ada Lovelace") < page.index("Grace Hopper")
    assert "Zoë" not in page
    assert "Perhaps the person is in another band" in visitor.see("/users?band=good")
    assert "Ada Lovelace" in visitor.see("/users?band=nonsense&sort=nonsense&after=nonsense")


def test_one_pages_through_all_users(desk: Desk, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engagement_pipeline.web.dashboard.routes.users.PAGE_SIZE", 3)
    first = visitor.see("/users?sort=name")
    link = re.search(r'href="(/users\?[^"]+)" rel="next"', first)
    assert link is not None
    second = visitor.see(link[1].replace("&amp;", "&"))
    assert "First page" in second
    seen = [set(re.findall(r'href="/user/(u\d+)"', page)) for page in (first, second)]
    assert seen[0].isdisjoint(seen[1])
    assert seen[0] | seen[1] == {"u00001", "u00002", "u00003", "u00004"}


def test_a_user_is_explained(visitor: Visitor) -> None:
    page = visitor.see("/user/u00001")
    assert "The last order was 90 days ago" in page
    assert "Opened (unreliable)" in page
    assert "It has been a while" in page
    assert "Order of 50.00" in page
    assert "<polyline" in page


def test_what_users_are_called_is_never_markup(visitor: Visitor) -> None:
    for page in ("/users", "/user/u00003", "/emails"):
        assert "<script>alert" not in visitor.see(page)
    assert "&lt;script&gt;alert" in visitor.see("/user/u00003")


@pytest.mark.parametrize("page", ["/user/nobody", "/email/nothing", "/emails/preview/nothing", "/user/..%2F..%2Fetc"])
def test_what_is_not_there_is_said_to_be_not_there(visitor: Visitor, page: str) -> None:
    assert "There is no such" in visitor.see(page, 404)


def test_a_user_who_was_never_scored_has_a_reason(desk: Desk) -> None:
    from engagement_pipeline.platform.published import published

    with desk.database.write() as connection:
        connection.execute(published.delete())
    assert "known after the first full run" in desk.visitor().see("/user/u00001")


def test_emails_are_filtered(desk: Desk, visitor: Visitor) -> None:
    unknown = visitor.see("/emails?status=unknown")
    assert desk.email_ids[1] in unknown
    assert desk.email_ids[0] not in unknown
    assert "No e-mail matches" in visitor.see("/emails?campaign=other")
    assert desk.email_ids[0] in visitor.see("/emails?since=2026-03-02&until=2026-03-02")
    assert "No e-mail matches" in visitor.see("/emails?until=2026-03-01")
    assert "A date is not one" in visitor.see("/emails?since=yesterday", 422)


def test_an_email_is_shown_as_it_is_received(desk: Desk, visitor: Visitor) -> None:
    page = visitor.see(f"/email/{desk.email_ids[0]}")
    assert "It has been a while, Ada" in page
    assert "Opens are unreliable" in page
    assert 'sandbox=""' in page
    assert "Hi Ada," in visitor.see(f"/email/{desk.email_ids[0]}?look=text")
    frame = visitor.client.get(f"/emails/preview/{desk.email_ids[0]}")
    assert frame.headers["content-security-policy"].startswith("sandbox;")
    assert "frame-ancestors 'self'" in frame.headers["content-security-policy"]
    assert "/unsubscribe?token=" in frame.text
    assert "/o/" not in frame.text


def test_an_emails_brief_is_shown(desk: Desk, visitor: Visitor) -> None:
    page = f"/email/{desk.email_ids[0]}"
    assert "It was written before briefs were kept." in visitor.see(page)
    desk.parts.keep("u00001", brief(other_interests=("gnomes & elves",)))
    shown = visitor.see(page)
    assert "<dt>Silence</dt><dd>about a season</dd>" in shown
    assert "<dt>Other interests</dt><dd>gnomes &amp; elves</dd>" in shown
    desk.set_email(0, status="held_out", copy=None, provenance=None)
    assert "briefs were kept" not in visitor.see(page)


def test_no_score_is_shown_as_one_of_another_band(desk: Desk, visitor: Visitor) -> None:
    desk.set_email(0, score=29.96, band="critical")
    for page in ("/emails?status=opened", f"/email/{desk.email_ids[0]}"):
        shown = visitor.see(page)
        assert "29.9" in shown, page
        assert "30.0" not in shown, page
    assert "score 29.9" in visitor.see("/user/u00001")


def test_a_person_says_what_became_of_an_unknown_email(desk: Desk, visitor: Visitor) -> None:
    email_id = desk.email_ids[1]
    page = f"/email/{email_id}"
    assert "Nobody can tell" in visitor.see(page)
    answer = visitor.send(f"/emails/resolve/{email_id}", page, became="sent", note="seen in the provider's log")
    assert "Noted" in visitor.see(answer.headers["location"])
    assert desk.parts.statuses()["u00002"] == "sent"
    assert ("marta-write", "email.resolved", email_id) in desk.audited()
    answer = visitor.send(f"/emails/resolve/{email_id}", "/system", became="failed")
    assert "known by now" in visitor.see(answer.headers["location"])


def test_an_empty_store_says_what_to_do_next(desk: Desk) -> None:
    from engagement_pipeline.delivery.tables import email_events, emails
    from engagement_pipeline.users.tables import orders, users

    with desk.database.write() as connection:
        for table in (email_events, emails, orders, users):
            connection.execute(table.delete())
    visitor = desk.visitor()
    assert "engagement import" in visitor.see("/users")
    assert "make demo" in visitor.see("/emails")
    assert "The list is empty" in visitor.see("/suppressions")
    assert "Nothing waits for approval" in visitor.see("/approvals")
    campaigns = visitor.see("/campaigns")
    assert "Nothing has been measured yet" in campaigns
    assert "Drafts appear after the first run" in campaigns
    system = visitor.see("/system")
    assert "Of every e-mail we know whether it was sent." in system
    assert "Nothing was changed by hand yet" in system


def test_a_new_user_has_empty_places_that_say_what_comes(visitor: Visitor) -> None:
    visitor.send("/users/new", "/users/new", 303, user_id="new")
    page = visitor.see("/user/new")
    for words in ("One is written when the score falls below 50", "Somebody who has never ordered is not written to."):
        assert words in page


def test_before_the_first_run_pages_say_how_to_start_one(desk: Desk, visitor: Visitor) -> None:
    with desk.database.write() as connection:
        connection.execute(run_marks.run_marks.delete())
    assert "starts Dagster with its schedules and sensors" in visitor.see("/system")


def test_settings_show_no_secret(desk: Desk) -> None:
    changes: dict[str, object] = {
        "openai_api_key": "sk-very-secret",
        "openai_base_url": "https://user:very-secret@model.example.com/v1?key=very-secret",
        "smtp": {"password": "very-secret"},
        "delivery": {"allow_list": ("somebody@example.com",)},
    }
    page = desk.visitor("write", **changes).see("/system")
    assert "very-secret" not in page
    assert "a-secret-key" not in page
    assert "somebody@example.com" not in page
    assert "https://model.example.com/v1" in page
    assert "<dd>data/brand.yaml</dd>" in page


def test_a_stopped_sender_is_let_go_on(desk: Desk, visitor: Visitor) -> None:
    from engagement_pipeline.platform import facts

    with desk.database.write() as connection:
        facts.put(connection, "breaker_tripped", "of 1,000 e-mails sent, 80 bounced for good")
    assert "Sending has stopped" in visitor.see("/system")
    answer = visitor.send("/system/resume", "/system")
    page = visitor.see(answer.headers["location"])
    assert "Sending may go on" in page
    assert "Sending has stopped" not in page
    assert "sending.resumed" in page


def test_what_waits_for_approval_is_shown_by_edition_with_samples(desk: Desk) -> None:
    from engagement_pipeline.copywriting.tables import copy_approvals

    desk.set_email(2, edition="0123456789ab")
    visitor = desk.visitor("write", needs_approval=True)
    page = visitor.see("/approvals")
    assert "0123456789ab" in page
    assert "1 e-mail waiting" in page
    assert "It has been a while, {{first_name}}" in page
    verdict = {"verdict": "approved", "decided_by": "marta", "note": "", "decided_at": desk.now}
    with desk.database.write() as connection:
        connection.execute(copy_approvals.insert(), {"campaign": "win-back", "edition": "0123456789ab", **verdict})
    page = visitor.see("/approvals")
    assert "Nothing waits for approval" in page
    assert "Approved" in page


def test_on_this_machine_nobody_logs_in_until_there_is_a_token(desk: Desk) -> None:
    visitor = Visitor(desk.client())
    assert "no token exists" in visitor.see("/users")
    visitor.send("/suppressions/add", "/suppressions", new_address="u1@example.com", reason="manual")
    assert [actor for actor, _, _ in desk.audited()] == ["local"]
    desk.token("marta")
    assert visitor.client.get("/users").status_code == 303


def test_what_became_of_an_email_is_told_in_the_order_in_which_it_happened(desk: Desk, visitor: Visitor) -> None:
    # Decided, sent and reported as sent at one moment.
    desk.set_email(0, decided_at=desk.now - timedelta(hours=3))
    desk.report(0, "send", timedelta(hours=3))
    page = visitor.see(f"/email/{desk.email_ids[0]}").split("What became of it")[1].split("</ol>")[0]
    places = [page.index(words) for words in ("Opened", "Delivered", "Sent", "Handed over", "Decided and written")]
    assert places == sorted(places)
