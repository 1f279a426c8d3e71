"""What people change: users by the form, an e-mail now, and erasing for good."""

from datetime import timedelta

from engagement_pipeline_tests.web.dashboard.conftest import Desk, Visitor

NEW = {
    "user_id": "a/b?c",
    "name": "Mary Jackson",
    "email": "mary@example.com",
    "consent": "yes",
    "preferred_categories": "dresses, denim",
    "time_zone": "Europe/Berlin",
}


def test_a_user_is_added_whatever_the_id(desk: Desk, visitor: Visitor) -> None:
    answer = visitor.send("/users/new", "/users/new", 303, **NEW)
    page = visitor.see(answer.headers["location"])
    assert "The user was added" in page
    assert "Mary Jackson" in page
    user = desk.parts.store.get_user("a/b?c")
    assert user is not None
    assert user.preferred_categories == ("dresses", "denim")
    assert user.consent
    assert desk.audited() == [("marta-write", "user.created", "a/b?c")]
    assert "There is a user with this id already." in visitor.send("/users/new", "/users/new", 422, **NEW).text


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(desk: Desk, visitor: Visitor) -> None:
    changes = {"user_id": "", "email": "nobody", "time_zone": "Atlantis", "name": "x" * 201}
    page = visitor.send("/users/new", "/users/new", 422, **(NEW | changes)).text
    for name in ("user_id", "email", "time_zone", "name"):
        assert f'id="{name}-wrong"' in page
    assert 'value="Atlantis"' in page
    assert desk.audited() == []


def test_a_user_is_edited_and_what_the_form_does_not_show_stays(desk: Desk, visitor: Visitor) -> None:
    page = "/users/edit/u00001"
    before = desk.parts.store.get_user("u00001")
    assert before is not None
    values = {"name": "Ada King", "email": "u1@example.com", "time_zone": "UTC", "preferred_categories": "dresses"}
    answer = visitor.send(page, page, 303, version=str(before.version), **values)
    assert "Saved" in visitor.see(answer.headers["location"])
    user = desk.parts.store.get_user("u00001")
    assert user is not None
    assert (user.name, user.consent, user.order_count) == ("Ada King", False, before.order_count)
    assert "by marta-write: name, consent" in visitor.see("/user/u00001")
    answer = visitor.send(page, page, 303, version=str(user.version), **values)
    assert "Nothing had changed" in visitor.see(answer.headers["location"])
    overtaken = visitor.send(page, page, 409, version=str(before.version), **(values | {"name": "Late"}))
    assert "Somebody else changed this user meanwhile" in overtaken.text
    assert 'value="Ada King"' in overtaken.text
    visitor.see("/users/edit/nobody", 404)


def test_an_email_is_written_now(desk: Desk, visitor: Visitor) -> None:
    page = "/user/u00004"
    assert "Nothing was sent" in visitor.send("/users/write/u00004", page, 422).text
    assert "u00004" not in desk.parts.rows()
    answer = visitor.send("/users/write/u00004", page, confirm="yes")
    assert "waits for the sender" in visitor.see(answer.headers["location"])
    row = desk.parts.rows()["u00004"]
    assert (row.status, row.requested_by, row.overrides) == ("queued", "marta-write", None)
    assert "on its way" in visitor.see(page)
    assert "waiting to be sent already" in visitor.send("/users/write/u00004", "/system", 409, confirm="yes").text
    visitor.send("/users/write/nobody", "/system", 404, confirm="yes")


def test_only_the_cool_down_can_be_set_aside_and_it_is_recorded(desk: Desk, visitor: Visitor) -> None:
    page = "/user/u00001"
    refused = visitor.send("/users/write/u00001", page, 409, confirm="yes")
    assert "Nothing was sent. The last e-mail" in refused.text
    assert "Tick the box" in refused.text
    answer = visitor.send("/users/write/u00001", page, confirm="yes", override_cool_down="yes")
    assert "waits for the sender" in visitor.see(answer.headers["location"])
    email_id = desk.audited()[-1][2]
    assert "setting aside: Cool down" in visitor.see(f"/email/{email_id}")


def test_a_person_is_erased_once_the_id_was_typed(desk: Desk, visitor: Visitor) -> None:
    page = "/user/u00004"
    assert "Nothing was erased" in visitor.send("/users/erase/u00004", page, 422, typed="Zoë").text
    assert desk.parts.store.get_user("u00004") is not None
    answer = visitor.send("/users/erase/u00004", page, typed="u00004")
    assert "was erased" in visitor.see(answer.headers["location"])
    assert desk.parts.store.get_user("u00004") is None
    assert "There is no such user" in visitor.see(page, 404)
    assert "Zoë" not in visitor.see("/users")
    assert "u00004" not in visitor.see("/system")


def test_everything_known_about_a_person_is_given_as_a_file(desk: Desk, visitor: Visitor) -> None:
    answer = visitor.client.get("/users/export/u00001")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''user-u00001.json"
    assert "Ada Lovelace" in answer.text
    assert answer.json()
    assert desk.audited() == [("marta-write", "user.exported", "u00001")]
    visitor.see("/users/export/nobody", 404)


def test_who_may_only_look_is_offered_nothing_to_change(desk: Desk) -> None:
    page = desk.visitor("read").see("/user/u00001")
    assert "Erase for good" not in page
    assert "may look but not change" in page


def test_a_session_ends_after_twelve_hours(desk: Desk, visitor: Visitor) -> None:
    desk.now += timedelta(hours=12)
    assert visitor.client.get("/users").headers["location"].startswith("/login")


def test_an_edition_is_approved_or_rejected(desk: Desk) -> None:
    desk.set_email(2, edition="0123456789ab")
    visitor = desk.visitor("write", needs_approval=True)
    said = {"edition": "0123456789ab", "verdict": "rejected"}
    wrong = visitor.send("/approvals", "/approvals", 422, **said, note="ask ada@example.com")
    assert "ada@example.com" not in wrong.text
    answer = visitor.send("/approvals", "/approvals", 303, **said, note="too pushy")
    page = visitor.see(answer.headers["location"])
    assert "None of it is sent" in page
    assert "too pushy" in page
    assert desk.parts.statuses()["u00003"] == "skipped"
    assert desk.audited() == [("marta-write", "copy.rejected", "0123456789ab")]
    answer = visitor.send("/approvals", "/approvals", 303, **said)
    assert "decided on this edition meanwhile" in visitor.see(answer.headers["location"])
