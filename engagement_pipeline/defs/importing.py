"""Files that somebody drops into the incoming folder: found by a sensor, imported by a job, then moved away."""

from datetime import datetime
from pathlib import Path
from typing import Literal

import dagster as dg

from engagement_pipeline.pipeline import Pipeline

# A file that has just changed may still be being written.
SETTLED_SECONDS = 2.0

_ENTITIES: dict[str, Literal["user", "order"]] = {"users": "user", "orders": "order"}


class IncomingFile(dg.Config):
    """One file under the incoming folder."""

    path: str


def incoming_files(folder: Path, now: datetime) -> list[Path]:
    """Return the files to import, as far as they have not changed for a moment: users first, so that orders find them.

    A file may lie in the folder itself, where its columns tell what it holds, or in its `users/` or `orders/`.
    """
    loose = sorted(folder.glob("*"), key=lambda path: ("user" not in path.name.lower(), path.name))
    found = [*sorted((folder / "users").glob("*")), *loose, *sorted((folder / "orders").glob("*"))]
    return [
        path
        for path in found
        if path.is_file()
        and not path.name.startswith(".")
        and now.timestamp() - path.stat().st_mtime >= SETTLED_SECONDS
    ]


@dg.op
def import_file(context: dg.OpExecutionContext, config: IncomingFile, pipeline: dg.ResourceParam[Pipeline]) -> None:
    """Import the file and move it to `imported/`; one that cannot be read goes to `unreadable/` and fails the run."""
    # Imported here: a reaction to a change must not wait for readers of files.
    from engagement_pipeline.users.importing import UnreadableFileError, import_path

    path = Path(config.path)
    if not path.exists():
        context.log.info("the file is gone: an earlier run has imported it")
        return
    now = pipeline.now()
    try:
        report = import_path(pipeline.store, _ENTITIES.get(path.parent.name), path, now, None)
    except UnreadableFileError as error:
        _move(path, pipeline.settings.data_dir / "unreadable", now)
        raise dg.Failure(description=str(error), allow_retries=False) from error
    _move(path, pipeline.settings.data_dir / "imported", now)
    context.add_output_metadata(
        {
            "read": report.read,
            "created": report.created,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "rejected": report.rejected,
        }
    )


def _move(path: Path, folder: Path, now: datetime) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path.replace(folder / f"{now:%Y%m%dT%H%M%S%f}-{path.name}")
