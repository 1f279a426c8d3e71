"""JSON Lines: one object per line."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engagement_pipeline.users.importing import files
from engagement_pipeline.users.importing.fields import columns_by_name, entity_of
from engagement_pipeline.users.importing.raw import Fault, Line, RawRecord, UnreadableFileError
from engagement_pipeline.users.rejects import Entity


@dataclass(frozen=True)
class JsonFile:
    """A file of JSON objects, one per line."""

    path: Path
    name: str
    entity: Entity

    def records(self) -> Iterator[RawRecord]:
        """Read the file from its beginning."""
        for line in files.read_lines(self.path, self.name):
            yield line.rejected(line.fault) if line.fault else self._record(line)

    def _record(self, line: Line) -> RawRecord:
        parsed = _parse(line.text)
        if parsed is None:
            return line.rejected(Fault(None, "malformed", "the line is not a JSON object"))
        columns = columns_by_name(parsed, self.entity)
        values = {column: parsed[name] for name, column in columns.items() if parsed[name] is not None}
        return RawRecord(line.number, values, line.text, line.length)


def open_json(path: Path, name: str, entity: Entity | None) -> tuple[JsonFile, Entity]:
    """Tell what the file holds by its first object.

    Raises:
        UnreadableFileError: no entity was given and the first object looks like none.
    """
    if entity is None:
        first = next((found for line in files.read_lines(path, name) if (found := _parse(line.text))), {})
        entity = entity_of(first)
    if entity is None:
        raise UnreadableFileError(f"{name} cannot be read: its first object is neither a user nor an order")
    return JsonFile(path, name, entity), entity


def _parse(text: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
