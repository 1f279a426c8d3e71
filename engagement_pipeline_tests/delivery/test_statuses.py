from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.delivery.statuses import (
    ALL,
    CLOSED,
    EMAILED,
    HOLDS_ADDRESS,
    OPEN,
    REPORTED,
    TOUCHES,
    Status,
    follow,
    may_become,
)

REPORTS = st.lists(st.sampled_from(REPORTED), max_size=12)
ANYTHING = st.lists(st.sampled_from(ALL), max_size=20)


@given(REPORTS, st.randoms())
def test_reports_in_any_order_and_number_end_the_same(reports: list[Status], random: object) -> None:
    def end(of: list[Status]) -> Status:
        status: Status = "sent"
        for report in of:
            status = follow(status, report)
        return status

    shuffled = [*reports, *reports]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert end(shuffled) == end(reports) == max([*reports, "sent"], key=REPORTED.index)


@given(ANYTHING)
def test_a_row_that_was_emailed_never_becomes_sendable_again(reports: list[Status]) -> None:
    status: Status = "draft"
    emailed = False
    for report in reports:
        status = follow(status, report)
        emailed = emailed or status in EMAILED
        if emailed:
            assert status in EMAILED | {"failed"}


@given(st.sampled_from(sorted(CLOSED)), ANYTHING)
def test_what_is_closed_stays_closed(status: Status, reports: list[Status]) -> None:
    for report in reports:
        status = follow(status, report)
        assert status in CLOSED


def test_silence_is_final() -> None:
    assert not [status for status in ALL if "held_out" in may_become(status)]


def test_what_was_skipped_or_failed_is_not_so_where_the_provider_knows_better() -> None:
    assert {status for status in ALL if "skipped" in may_become(status)} == set(REPORTED)
    assert {status for status in ALL if "failed" in may_become(status)} == set(REPORTED) - {"sent", "failed"}


def test_unknown_is_resolved_by_word_alone() -> None:
    assert {status for status in ALL if "unknown" in may_become(status)} == set(REPORTED)


def test_every_status_is_either_open_or_closed() -> None:
    assert set(ALL) == OPEN | CLOSED
    assert not OPEN & CLOSED
    assert TOUCHES < CLOSED
    assert {"held_out"} == TOUCHES - EMAILED
    assert {"sending"} == HOLDS_ADDRESS - EMAILED
