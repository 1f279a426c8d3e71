"""Delimited text: the delimiter is recognised by the header, a broken line costs no other line."""

import csv
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engagement_pipeline.users.importing import files
from engagement_pipeline.users.importing.fields import KINDS, columns_by_name, entity_of
from engagement_pipeline.users.importing.raw import Fault, Line, RawRecord, UnreadableFileError
from engagement_pipeline.users.rejects import Entity

_DELIMITERS = (",", ";", "\t", "|")
# A quoted text with line breaks may go on for so many lines; beyond, its quote is taken for a mistake.
_MAX_RECORD_LINES = 100


@dataclass(frozen=True)
class CsvFile:
    """A readable CSV file."""

    path: Path
    name: str
    delimiter: str
    width: int
    columns: dict[int, str]

    def records(self) -> Iterator[RawRecord]:
        """Read the file from its beginning."""
        lines = _Lines(files.read_lines(self.path, self.name))
        next(lines)
        for line in lines:
            yield self._record(line, lines)

    def _record(self, line: Line, lines: "_Lines") -> RawRecord:
        if line.fault:
            return line.rejected(line.fault)
        taken = [line]
        if '"' not in line.text:
            return self._of_fields(line.text.split(self.delimiter), taken)
        while True:
            try:
                parsed = _parse(taken, self.delimiter)
            except csv.Error:
                if not _may_go_on(taken) or (following := next(lines, None)) is None:
                    lines.put_back(taken[1:])
                    return line.rejected(Fault(None, "malformed", "the line's quotes do not match"))
                taken.append(following)
            else:
                return self._of_fields(parsed, taken)

    def _of_fields(self, fields: list[str], taken: list[Line]) -> RawRecord:
        original = "\n".join(line.text for line in taken)
        record = RawRecord(taken[0].number, {}, original, len(original))
        if broken := next((line.fault for line in taken if line.fault), None):
            return RawRecord(record.line, {}, original, record.length, broken)
        if len(fields) != self.width:
            fault = Fault(None, "wrong_field_count", f"the line has {len(fields)} fields, the header {self.width}")
            return RawRecord(record.line, {}, original, record.length, fault)
        values = {column: text for index, column in self.columns.items() if (text := fields[index].strip())}
        return RawRecord(record.line, values, original, record.length)


def open_csv(path: Path, name: str, entity: Entity | None) -> tuple[CsvFile, Entity]:
    """Recognise delimiter and columns by the first line.

    Raises:
        UnreadableFileError: the first line is no header with the columns that are needed.
    """
    header = next(files.read_lines(path, name))
    if header.fault:
        raise UnreadableFileError(f"{name} cannot be read: its first line is no header, as {header.fault}")
    found = max((_header(header, delimiter, entity) for delimiter in _DELIMITERS), key=lambda each: len(each.columns))
    recognised = entity or entity_of(found.names)
    if recognised is None:
        raise UnreadableFileError(f"{name} cannot be read: its first line names neither columns of users nor of orders")
    columns = found.columns if entity else columns_by_name(found.names, recognised)
    _check(name, list(columns.values()), recognised)
    numbered = {index: columns[text] for index, text in enumerate(found.names) if text in columns}
    _check_once(name, found.names, numbered)
    return CsvFile(path, name, found.delimiter, len(found.names), numbered), recognised


@dataclass(frozen=True)
class _Header:
    delimiter: str
    names: list[str]
    columns: Mapping[str, str]


def _header(line: Line, delimiter: str, entity: Entity | None) -> _Header:
    try:
        names = _parse([line], delimiter)
    except csv.Error:
        names = []
    kinds: list[Entity] = [entity] if entity else ["user", "order"]
    return _Header(delimiter, names, max((columns_by_name(names, kind) for kind in kinds), key=len))


def _check(name: str, columns: list[str], entity: Entity) -> None:
    required = KINDS[entity].required
    if missing := [column for column in required if column not in columns]:
        known = "its first line names" if columns else "its first line, taken apart at , ; tab or |, names"
        raise UnreadableFileError(
            f"{name} cannot be read: {known} no column {', '.join(missing)} "
            f"(needed for {entity}s: {', '.join(required)})"
        )


def _check_once(name: str, names: list[str], numbered: dict[int, str]) -> None:
    twice = [column for column, times in Counter(numbered.values()).items() if times > 1]
    if twice:
        raise UnreadableFileError(f"{name} cannot be read: its first line names {', '.join(twice)} more than once")


def _parse(taken: list[Line], delimiter: str) -> list[str]:
    last = len(taken) - 1
    texts = [line.text if index == last else f"{line.text}\n" for index, line in enumerate(taken)]
    return next(csv.reader(texts, delimiter=delimiter, strict=True))


def _may_go_on(taken: list[Line]) -> bool:
    text = sum(line.length for line in taken)
    quotes = sum(line.text.count('"') for line in taken)
    return quotes % 2 == 1 and len(taken) < _MAX_RECORD_LINES and text < files.MAX_LINE


class _Lines:
    """Lines that can be put back."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._returned: deque[Line] = deque()

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> Line:
        return self._returned.popleft() if self._returned else next(self._lines)

    def put_back(self, lines: list[Line]) -> None:
        self._returned.extendleft(reversed(lines))
