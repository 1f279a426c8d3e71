"""What an edition says, in samples and in figures."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from engagement_pipeline.copywriting.copy import Copy, Provenance, Text
from engagement_pipeline.delivery.approving import count_by_edition
from engagement_pipeline.delivery.copy_report import CopyReport, copy_report
from engagement_pipeline.delivery.entries import NewEmail
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, COPY, Parts

EDITION = "aaaaaaaaaaaa"
PAID = Provenance("1.x", "a-model", "f" * 32, 0, 900, 100, 0.25)


def said(number: int) -> Copy:
    return COPY.model_copy(update={"call_to_action": f"Have a look {number}"})


def generated(number: int) -> Text:
    return Text(said(number), "openai", replace(PAID, number=number))


def stood_in(number: int, *failures: str) -> Text:
    return Text(COPY, "template", replace(PAID, number=number), failures)


def report_on(database: Database, texts: Sequence[tuple[str, Text]], samples: int = 2) -> CopyReport:
    """Report on one e-mail per text, each with its variant."""
    rows = [
        NewEmail(
            user_id=f"u{place}",
            address_key="",
            campaign=CAMPAIGN,
            step=1,
            score=30.0,
            band="at_risk",
            value_at_risk=1.0,
            decided_at=NOW,
            variant=variant,
            copy=text.copy.model_dump(mode="json"),
            copywriter=text.author,
            provenance=text.record(),
            edition=EDITION,
        )
        for place, (variant, text) in enumerate(texts)
    ]
    ledger = Parts(database).ledger
    ledger.create_drafts(rows, NOW)
    ledger.create_drafts([replace(row, user_id="other", edition="bbbbbbbbbbbb") for row in rows[:1]], NOW)
    ledger.record_hold_outs([replace(row, user_id="silent", copy=None, copywriter=None) for row in rows[:1]], NOW)
    with database.read() as connection:
        assert count_by_edition(connection, CAMPAIGN)[EDITION] == {"draft": len(rows)}
        return copy_report(connection, CAMPAIGN, EDITION, samples)


def test_each_text_is_counted_and_paid_for_once(database: Database) -> None:
    texts = [("idea", generated(0))] * 3 + [("note", generated(0)), ("note", generated(1))]
    texts += [("note", stood_in(7, "figure", "length")), ("idea", stood_in(8, "figure"))]
    report = report_on(database, texts)
    assert (report.emails, report.by_copywriter) == (7, {"openai": 5, "template": 2})
    assert (report.fallen_back, report.failures) == (2, {"figure": 2, "length": 1})
    assert report.share_fallen_back == pytest.approx(2 / 7)
    # Four texts were paid for: two that can be sent, in whatever variants, and two that could not.
    assert report.cost_usd == pytest.approx(1.0)
    assert report.cost_usd_per_thousand == pytest.approx(1_000 / 7)
    idea, note = report.variants
    assert (idea.variant, idea.emails) == ("idea", {"openai": 3, "template": 1})
    assert (note.variant, note.emails) == ("note", {"openai": 2, "template": 1})
    assert [(sample.copywriter, sample.emails, sample.failures) for sample in idea.samples] == [
        ("openai", 3, ()),
        ("template", 1, ("figure",)),
    ]


def test_the_texts_that_are_sent_most_are_shown(database: Database) -> None:
    texts = [("note", generated(number)) for number in range(9) for _ in range(number)]
    [note] = report_on(database, texts, samples=3).variants
    assert [sample.emails for sample in note.samples] == [8, 7, 6]
    assert [sample.copy["call_to_action"] for sample in note.samples] == [f"Have a look {n}" for n in (8, 7, 6)]


def test_texts_that_were_replaced_by_the_same_words_are_shown_once(database: Database) -> None:
    texts = [("note", stood_in(number, code)) for number, code in enumerate(["figure", "code", "figure"])]
    report = report_on(database, texts)
    [sample] = report.variants[0].samples
    assert (sample.emails, set(sample.failures), report.texts) == (3, {"figure", "code"}, 1)


def test_templates_of_their_own_right_have_not_fallen_back(database: Database) -> None:
    report = report_on(database, [("plain", Text(COPY, "template"))])
    assert (report.emails, report.fallen_back, report.cost_usd, report.failures) == (1, 0, 0, {})


def test_nothing_is_said_of_an_edition_without_emails(database: Database) -> None:
    with database.read() as connection:
        report = copy_report(connection, CAMPAIGN, EDITION)
    assert (report.emails, report.variants, report.share_fallen_back, report.cost_usd_per_thousand) == (0, (), 0, 0)
