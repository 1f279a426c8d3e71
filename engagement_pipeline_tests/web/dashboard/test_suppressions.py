"""The suppressions page: search, add, remove, import, export, each with its trace in the audit log."""

import csv
import io

from engagement_pipeline.delivery import suppressions
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline_tests.delivery.parts import SECRET, silent_user
from engagement_pipeline_tests.web.dashboard.conftest import Desk, Visitor

ADDRESS = "u1@example.com"
# What makes a spreadsheet run a cell.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
KEY = address_key(ADDRESS, SECRET)


def on_list(desk: Desk) -> dict[str, str]:
    with desk.database.read() as connection:
        return {each.address_key: each.reason for each in suppressions.list_suppressions(connection, 100)}


def test_an_address_is_added_found_and_taken_off_again(desk: Desk, visitor: Visitor) -> None:
    answer = visitor.send("/suppressions/add", "/suppressions", new_address=ADDRESS, reason="asked_by_phone")
    assert "on the list now" in visitor.see(answer.headers["location"])
    assert on_list(desk) == {KEY: "asked_by_phone"}
    found = visitor.send("/suppressions/search", "/suppressions", 200, address=" U1@Example.com ")
    assert "That address is on the list" in found.text
    assert ADDRESS not in found.text.lower()
    page = f"/suppressions/remove/{KEY}"
    assert "Asked by phone" in visitor.see(page)
    visitor.send(page, page, 422, why="Because I say so")
    answer = visitor.send(page, page, why="owner_asked")
    assert "off the list" in visitor.see(answer.headers["location"])
    assert on_list(desk) == {}
    assert [row[1] for row in desk.audited()] == ["suppression.added", "suppression.removed"]


def test_what_is_no_address_is_said_and_not_repeated(desk: Desk, visitor: Visitor) -> None:
    answer = visitor.send("/suppressions/add", "/suppressions", 422, new_address="<b>nobody</b>", reason="?")
    assert "nobody" not in answer.text
    assert answer.text.count('class="wrong"') == 2
    assert on_list(desk) == {}


def test_adding_again_keeps_the_first_reason(desk: Desk, visitor: Visitor) -> None:
    for reason in ("first", "second"):
        visitor.send("/suppressions/add", "/suppressions", new_address=ADDRESS, reason=reason)
    assert on_list(desk) == {KEY: "first"}
    assert len(desk.audited()) == 1


def test_a_file_is_imported(desk: Desk, visitor: Visitor) -> None:
    page = visitor.see("/suppressions")
    word = page.split('name="csrf_token" value="')[1].split('"')[0]
    file = f"email,reason\n{ADDRESS},complaint\nnonsense,manual\n"
    answer = visitor.client.post(
        "/suppressions/import", data={"csrf_token": word}, files={"file": ("../../../etc/x.csv", file, "text/csv")}
    )
    assert "2 lines read: 1 added, 0 known, 1 refused." in answer.text
    assert on_list(desk) == {KEY: "complaint"}
    bad = visitor.client.post(
        "/suppressions/import", data={"csrf_token": word}, files={"file": ("x.csv", "a,b\n1,2\n", "text/csv")}
    )
    assert bad.status_code == 422
    assert "names no column" in bad.text


def test_the_export_holds_no_formula(desk: Desk, visitor: Visitor) -> None:
    sharp = ["=1+1@example.com", "+cmd@example.com", "-2@example.com"]
    desk.parts.add_users([silent_user(10 + place, address) for place, address in enumerate(sharp)], desk.now)
    with desk.database.write() as connection:
        for address in (ADDRESS, *sharp):
            suppressions.add(connection, address_key(address, SECRET), "complaint", "ses", desk.now)
    answer = visitor.client.get("/suppressions/export")
    assert answer.headers["content-disposition"] == 'attachment; filename="suppressions.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert sorted((row["email"], row["reason"]) for row in rows) == [*[("", "complaint")] * 3, (ADDRESS, "complaint")]
    assert not any(value.startswith(FORMULA) for row in rows for value in row.values())
    assert desk.audited() == [("marta-write", "suppressions.exported", "")]


def test_who_may_only_look_is_offered_nothing_to_change(desk: Desk) -> None:
    page = desk.visitor("read").see("/suppressions")
    assert 'method="post" action="/suppressions/add"' not in page
    assert "Import a file" not in page
    assert "who may look but not change" in page


def test_who_was_erased_stays_on_the_list(desk: Desk, visitor: Visitor) -> None:
    with desk.database.write() as connection:
        suppressions.add(connection, KEY, suppressions.ERASED, suppressions.ERASED, desk.now)
    assert f"/suppressions/remove/{KEY}" not in visitor.see("/suppressions")
    answer = visitor.send(f"/suppressions/remove/{KEY}", "/suppressions", why="owner_asked")
    assert "never written to again" in visitor.see(answer.headers["location"])
    assert KEY in on_list(desk)
