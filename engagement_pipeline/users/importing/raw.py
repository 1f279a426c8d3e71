"""What the readers of all file formats hand on: a raw record, or what is wrong with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.users.rejects import MAX_ORIGINAL


class UnreadableFileError(BadInputError):
    """A file as a whole cannot be imported. The message is one sentence for people; nothing was written."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a record: in which field (None: the record as a whole), a reason code, a clause for people."""

    field: str | None
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.field} {self.message}" if self.field else self.message


@dataclass(frozen=True)
class RawRecord:
    """One record as its file has it.

    Attributes:
        line: where it begins, from 1; in Parquet the row.
        values: by our names of the columns; what the file leaves empty is absent.
        original: its text; of a huge one only the beginning.
        length: how long the whole text is.
        fault: why it could not be taken apart; its values are then empty.
    """

    line: int
    values: Mapping[str, Any]
    original: str
    length: int
    fault: Fault | None = None

    def shortened(self) -> "RawRecord":
        """Return what a rejection needs of it, however huge it is."""
        return replace(self, values={}, original=self.original[:MAX_ORIGINAL])


@dataclass(frozen=True)
class Line:
    """A line of a text file, without its end; of one longer than `files.MAX_LINE` only the beginning."""

    number: int
    text: str
    length: int
    fault: Fault | None = None

    def rejected(self, fault: Fault) -> RawRecord:
        """Return the record that this line would have been."""
        return RawRecord(self.number, {}, self.text, self.length, fault)


class Source(Protocol):
    """A file that has been found readable, with the columns it is read for."""

    @property
    def name(self) -> str:
        """The file's name, as reported."""

    def records(self) -> Iterator[RawRecord]:
        """Read the file from its beginning."""
