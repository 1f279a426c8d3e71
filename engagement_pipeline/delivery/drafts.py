"""From decisions to ledger rows: a draft for everyone to be mailed, a closed row for everyone held out.

The rows go to the operational store before the offset goes to the warehouse: after a crash in between the same
decisions are read again, and find their rows.

A decision whose text is not to be had yet gets no row, and the offset passes it: the next full run reads all decisions
and finds those without a row. So a reaction in between never pays for what an earlier run's budget left over.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Final, Literal

import duckdb

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.catalogue import Catalogue
from engagement_pipeline.copywriting.checking import checked
from engagement_pipeline.copywriting.copy import Copywriter, Spending, Text
from engagement_pipeline.copywriting.edition import edition_of
from engagement_pipeline.copywriting.keeping import keep
from engagement_pipeline.copywriting.last_day import last_day
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.delivery.briefing import Briefing
from engagement_pipeline.delivery.entries import NewEmail
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.warehouse import get_offset, read_sql, set_offset, transaction
from engagement_pipeline.scoring.population import newest_population

CONSUMER: Final = "generated_emails"
BATCH: Final = 1_000

Row = dict[str, Any]
# A brief's fingerprint, and which of its texts.
_Key = tuple[str, int]


@dataclass(frozen=True)
class DraftReport:
    """What became of the decisions read.

    Attributes:
        edition: all that the copywriter could say.
        is_rejected: whether somebody has rejected that; then nothing is written, and everybody waits for other words.
        written: new drafts.
        held_out: newly recorded hold-outs.
        existing: decisions that have their row already, or whose user still has an open one.
        replaced: texts that another copywriter failed at and that the template's stand in for.
        postponed: decisions without their row, because their text has to wait; a later full run takes them up.
        by_variant: new drafts by variant.
        failures: replaced texts by what was wrong with them; one text can have several faults.
        spent: what the copywriter used.
    """

    edition: str = ""
    is_rejected: bool = False
    written: int = 0
    held_out: int = 0
    existing: int = 0
    replaced: int = 0
    postponed: int = 0
    by_variant: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    spent: Spending = field(default_factory=Spending)


def write_drafts(
    con: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    copywriter: Copywriter,
    brand: Brand,
    settings: Settings,
    now: datetime,
    *,
    full: bool,
    catalogue: Catalogue | None = None,
) -> DraftReport:
    """Write the ledger rows that the decisions in `at_risk_cohorts` call for.

    Args:
        con: the warehouse.
        ledger: where the rows go.
        copywriter: writes the texts.
        brand: in whose name; its rules are checked on each text.
        settings: names the campaign.
        now: the moment of writing.
        full: look at all decisions; otherwise only at those made since the last time.
        catalogue: goods and offers that the texts may name, if the shop has such a file.

    Raises:
        CopyTemplateError: the template copy, on which every other copywriter falls back, does not suit the brand.
    """
    fallback = TemplateCopywriter(brand)
    if full:
        # Every brief that may come later, not only those of today: a fault should not wait for its first user.
        fallback.check()
    offset = None if full else get_offset(con, CONSUMER)
    newest = con.execute("SELECT COALESCE(MAX(changed_seq), 0) FROM at_risk_cohorts").fetchone()
    population = newest_population(con)
    median = None if population is None else population.median_order_value
    briefing = Briefing(settings.campaign, copywriter, brand, catalogue, median, now)
    edition = edition_of(copywriter, catalogue)
    writer = _DraftWriter(ledger, copywriter, fallback, brand, briefing, settings.campaign, edition, now)
    after = -1 if offset is None else offset
    if full:
        copywriter.plan(text for rows in _decisions(con, "mail", after) for text in writer.wanted(rows))
    for rows in _decisions(con, "mail", after):
        writer.write(rows)
    for rows in _decisions(con, "hold_out", after):
        writer.hold_out(rows)
    with transaction(con):
        set_offset(con, CONSUMER, max(offset or 0, newest[0] if newest else 0))
    return writer.report()


class _DraftWriter:
    def __init__(
        self,
        ledger: Ledger,
        copywriter: Copywriter,
        fallback: TemplateCopywriter,
        brand: Brand,
        briefing: Briefing,
        campaign: str,
        edition: str,
        now: datetime,
    ) -> None:
        self._ledger = ledger
        self._copywriter = copywriter
        self._fallback = fallback
        self._brand = brand
        self._briefing = briefing
        self._campaign = campaign
        self._edition = edition
        self._is_rejected = ledger.is_rejected(campaign, edition)
        self._now = now
        self._counts: Counter[str] = Counter()
        self._by_variant: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._replaced: set[_Key] = set()
        # Where in the order of decisions the first is that has to wait for its text.
        self._waits_from: tuple[float, str] | None = None

    def wanted(self, rows: Sequence[Row]) -> Iterator[tuple[Brief, int]]:
        """Name the texts that `write` will ask for, each once for these decisions."""
        if self._is_rejected:
            return iter(())
        return iter({key: (brief, key[1]) for _, key, brief in self._keyed(self._without_row(rows))}.values())

    def write(self, rows: Sequence[Row]) -> None:
        """Write the drafts that these decisions call for; one whose text has to wait waits with it."""
        free = self._without_row(rows)
        self._counts["existing"] += len(rows) - len(free)
        texts = {} if self._is_rejected else self._texts(free)
        waiting = [row for row in free if row["user_id"] not in texts]
        if waiting and self._waits_from is None:
            self._waits_from = _place(waiting[0])
        self._counts["postponed"] += len(waiting)
        if drafts := [self._email(row, texts[row["user_id"]]) for row in free if row["user_id"] in texts]:
            self._counts["written"] += self._ledger.create_drafts(drafts, self._now)
            self._by_variant.update(draft.variant for draft in drafts if draft.variant is not None)

    def hold_out(self, rows: Sequence[Row]) -> None:
        """Record those held out, as soon as they would have got a draft; after all drafts of the run were written.

        Who would wait for a batch waits for it. Behind the first of the mailed who has to wait, those wait, too, whose
        own text would not be there either. Were they recorded at once, they would differ from the mailed by those who
        come back while their text is waiting.
        """
        free = self._without_row(rows)
        self._counts["existing"] += len(rows) - len(free)
        waiting = self._waiting(free)
        self._counts["postponed"] += len(waiting)
        if silent := [self._email(row) for row in free if row["user_id"] not in waiting]:
            self._counts["held_out"] += self._ledger.record_hold_outs(silent, self._now)

    def report(self) -> DraftReport:
        counts = self._counts
        return DraftReport(
            edition=self._edition,
            is_rejected=self._is_rejected,
            written=counts["written"],
            held_out=counts["held_out"],
            existing=counts["existing"],
            replaced=len(self._replaced),
            postponed=counts["postponed"],
            by_variant=dict(sorted(self._by_variant.items())),
            failures=dict(self._failures.most_common()),
            spent=self._copywriter.spent,
        )

    def _without_row(self, rows: Sequence[Row]) -> list[Row]:
        taken = self._ledger.taken(self._campaign, {row["user_id"]: row["step"] for row in rows})
        return [row for row in rows if row["user_id"] not in taken]

    def _texts(self, rows: Sequence[Row]) -> dict[str, Text]:
        """Return the text of each user, as far as there is one."""
        # Users with equal briefs share texts, so that a copywriter who is paid by the piece writes each once.
        keyed = self._keyed(rows)
        briefs = {key: brief for _, key, brief in keyed}
        if not briefs:
            return {}
        written = self._copywriter.write([*briefs.values()], [number for _, number in briefs])
        texts = {key: self._checked(key, briefs[key], text) for key, text in zip(briefs, written, strict=True) if text}
        return {user_id: texts[key] for user_id, key, _ in keyed if key in texts}

    def _waiting(self, rows: Sequence[Row]) -> set[str]:
        if self._is_rejected:
            return {row["user_id"] for row in rows}
        keyed = self._keyed(rows)
        briefs, numbers = [brief for *_, brief in keyed], [key[1] for _, key, _ in keyed]
        awaited, there = self._copywriter.awaited(briefs, numbers), self._copywriter.in_hand(briefs, numbers)
        return {
            row["user_id"]
            for row, is_awaited, is_there in zip(rows, awaited, there, strict=True)
            if is_awaited or (self._is_behind(row) and not is_there)
        }

    def _is_behind(self, row: Row) -> bool:
        return self._waits_from is not None and _place(row) > self._waits_from

    def _keyed(self, rows: Sequence[Row]) -> list[tuple[str, _Key, Brief]]:
        """Return each user with the brief and the key of their text."""
        briefs = [(row["user_id"], self._brief(row)) for row in rows]
        return [(user_id, (brief.fingerprint, self._briefing.number(user_id)), brief) for user_id, brief in briefs]

    def _checked(self, key: _Key, brief: Brief, text: Text) -> Text:
        text = checked(text, brief, self._brand, self._fallback)
        if text.failures and key not in self._replaced:
            self._replaced.add(key)
            self._failures.update(set(text.failures))
        return text

    def _brief(self, row: Row) -> Brief:
        return self._briefing.brief(
            days_since_last_order=row["days_since_last_order"],
            order_days=row["order_days"],
            average_order_value=row["average_order_value"],
            preferred_categories=row["preferred_categories"] or (),
            last_skus=row["last_skus"] or (),
            touches_since_order=row["touches_since_order"],
            variant=self._briefing.variant(row["user_id"]),
        )

    def _email(self, row: Row, text: Text | None = None) -> NewEmail:
        # The hold-out has the variant that it would have got: what a variant's effect is compared with.
        email = NewEmail(
            user_id=row["user_id"],
            address_key=row["address_key"],
            campaign=self._campaign,
            step=row["step"],
            score=row["score"],
            band=row["band"],
            value_at_risk=row["value_at_risk"],
            decided_at=row["decided_at"].replace(tzinfo=timezone.utc),
            variant=self._briefing.variant(row["user_id"]),
        )
        return email if text is None else self._saying(email, text, self._brief(row))

    def _saying(self, email: NewEmail, text: Text, brief: Brief) -> NewEmail:
        return replace(
            email,
            copy=text.copy.model_dump(mode="json"),
            copywriter=text.author,
            provenance=keep(text, brief),
            edition=self._edition,
            last_day=last_day(text.copy, brief, self._brand),
        )


def _decisions(
    con: duckdb.DuckDBPyConnection, decision: Literal["mail", "hold_out"], after: int
) -> Iterator[list[Row]]:
    # On a connection of its own: a result that is being read ends with the connection's next statement.
    with con.cursor() as cursor:
        result = cursor.execute(read_sql(__package__, "drafts"), {"decision": decision, "after": after})
        names = [column[0] for column in result.description]
        while batch := result.fetchmany(BATCH):
            yield [dict(zip(names, values, strict=True)) for values in batch]


def _place(row: Row) -> tuple[float, str]:
    """Return where a decision stands in the order of `drafts.sql`."""
    return -row["value_at_risk"], row["user_id"]
