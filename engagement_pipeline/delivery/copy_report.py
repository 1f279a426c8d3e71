"""What the e-mails of an edition say, in samples and in figures: what a person looks at before agreeing to it."""

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.delivery.statements import EDITION
from engagement_pipeline.delivery.tables import emails

# Of each copywriter, in each variant.
SAMPLES: Final = 2


@dataclass(frozen=True)
class Sample:
    """One text: its copy (see `copywriting.copy.Copy`), whose words it is, and how many e-mails say it.

    `failures` are the codes of what was wrong with the text that it stands in for; empty where it stands in for none.
    """

    copy: Mapping[str, Any]
    copywriter: str
    failures: tuple[str, ...]
    emails: int


@dataclass(frozen=True)
class VariantReport:
    """One style: its e-mails by copywriter, and samples, of each copywriter the text that is sent most first."""

    variant: str
    emails: dict[str, int]
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class CopyReport:
    """The e-mails of an edition, whatever has become of them.

    Attributes:
        edition: which.
        emails: how many.
        texts: how many different texts they share.
        by_copywriter: e-mails by whose words they are.
        fallen_back: e-mails in which the template's words stand in for a model's.
        failures: e-mails among these by what was wrong with the model's text; one can have several faults.
        cost_usd: of all their texts, those that were given up included, whenever they were paid for.
        variants: style by style.
    """

    edition: str
    emails: int = 0
    texts: int = 0
    by_copywriter: dict[str, int] = field(default_factory=dict)
    fallen_back: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    cost_usd: float = 0.0
    variants: tuple[VariantReport, ...] = ()

    @property
    def share_fallen_back(self) -> float:
        """Between 0 and 1."""
        return self.fallen_back / self.emails if self.emails else 0.0

    @property
    def cost_usd_per_thousand(self) -> float:
        """US dollars for a thousand e-mails."""
        return 1_000 * self.cost_usd / self.emails if self.emails else 0.0


def copy_report(connection: sa.Connection, campaign: str, edition: str, samples: int = SAMPLES) -> CopyReport:
    """Read what a campaign's e-mails of an edition say.

    Args:
        connection: to the operational store.
        campaign: whose e-mails.
        edition: of which words.
        samples: how many texts to show of each copywriter in each variant.
    """
    counting = _Counting(samples)
    for _, rows in groupby(_rows(connection, campaign, edition), lambda row: (row.variant, row.copywriter, row.copy)):
        counting.add([*rows])
    return counting.report(edition)


@dataclass(frozen=True)
class _Row:
    """E-mails of one variant that say the same, and know the same of where it comes from."""

    variant: str
    copywriter: str
    copy: str
    record: Mapping[str, Any]
    emails: int

    @property
    def failures(self) -> tuple[str, ...]:
        return tuple(self.record.get("failures", ()))

    @property
    def paid_for(self) -> tuple[Any, ...] | None:
        """What names the text that a model was paid for; see `copywriting.copy.Provenance`."""
        if "fingerprint" not in self.record:
            return None
        return tuple(self.record[name] for name in ("fingerprint", "prompt_version", "model", "number"))


def _rows(connection: sa.Connection, campaign: str, edition: str) -> Iterator[_Row]:
    copy, record = sa.cast(emails.c.copy, sa.Text), sa.cast(emails.c.provenance, sa.Text)
    columns = (emails.c.variant, emails.c.copywriter, copy)
    query = (
        sa.select(*columns, record, sa.func.count())
        .where(emails.c.campaign == campaign, EDITION.in_([edition]), emails.c.status != "held_out")
        .group_by(*columns, record)
        .order_by(*columns)
    )
    for variant, copywriter, said, known, number in connection.execute(query):
        yield _Row(variant or "", copywriter or "", said, {} if known is None else json.loads(known), number)


class _Counting:
    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._by_copywriter: Counter[tuple[str, str]] = Counter()
        self._failures: Counter[str] = Counter()
        self._fallen_back = 0
        self._texts = 0
        self._cost: dict[tuple[Any, ...], float] = {}
        # By variant and copywriter, those to show, the one to give way first.
        self._best: dict[tuple[str, str], list[tuple[int, str, Sample]]] = {}

    def add(self, rows: Sequence[_Row]) -> None:
        """Count the rows of one variant with one text."""
        first = rows[0]
        key = (first.variant, first.copywriter)
        number = sum(row.emails for row in rows)
        self._texts += 1
        self._by_copywriter[key] += number
        for row in rows:
            self._fallen_back += row.emails if row.failures else 0
            self._failures.update(dict.fromkeys(row.failures, row.emails))
            if row.paid_for is not None:
                self._cost[row.paid_for] = float(row.record["cost_usd"])
        failures = tuple(dict.fromkeys(code for row in rows for code in row.failures))
        # Among texts that are sent equally often any will do, but neighbours: their briefs are alike, and so are they.
        place = hashlib.sha256(first.copy.encode()).hexdigest()
        best = self._best.setdefault(key, [])
        heapq.heappush(best, (number, place, Sample(json.loads(first.copy), first.copywriter, failures, number)))
        if len(best) > self._samples:
            heapq.heappop(best)

    def report(self, edition: str) -> CopyReport:
        by_copywriter: Counter[str] = Counter()
        for (_, copywriter), number in self._by_copywriter.items():
            by_copywriter[copywriter] += number
        return CopyReport(
            edition=edition,
            emails=by_copywriter.total(),
            texts=self._texts,
            by_copywriter=dict(sorted(by_copywriter.items())),
            fallen_back=self._fallen_back,
            failures=dict(self._failures.most_common()),
            cost_usd=sum(self._cost.values()),
            variants=tuple(map(self._variant, sorted({variant for variant, _ in self._best}))),
        )

    def _variant(self, variant: str) -> VariantReport:
        numbers = {name: number for (of, name), number in sorted(self._by_copywriter.items()) if of == variant}
        samples = [
            sample for name in numbers for *_, sample in sorted(self._best[variant, name], key=_place, reverse=True)
        ]
        return VariantReport(variant, numbers, tuple(samples))


def _place(best: tuple[int, str, Sample]) -> tuple[int, str]:
    return best[:2]
