"""The stream processor's code as a file that Lambda takes, named by its content; and what templates are made of."""

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

from engagement_pipeline.platform import dynamodb_tables
from infra.config import FOLDER, Deployment

# Lies beside the templates.
MADE_OF = "made-of.txt"
# Zip files hold a time; the same code must make the same file.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Artefact:
    """A file for the bucket."""

    key: str
    content: bytes


def bucket_name(account: str, region: str) -> str:
    """Return the name of the bucket for such files, which is of no other account."""
    return f"engagement-artefacts-{account}-{region}"


def make_artefact(folder: Path) -> Artefact:
    """Return a folder's Python files as one, which is the same as long as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.py")):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _NO_TIME)
            # Lambda runs as another user than the file's.
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    content = buffer.getvalue()
    return Artefact(f"{folder.name}/{hashlib.sha256(content).hexdigest()[:32]}.zip", content)


def made_of(deployment: Deployment) -> str:
    """Return a name for all that templates are made of: a deployment, and the code as it is now."""
    name = hashlib.sha256(json.dumps(asdict(deployment), sort_keys=True).encode())
    for path in [*sorted(FOLDER.rglob("*.py")), Path(dynamodb_tables.__file__)]:
        name.update(path.read_bytes())
    return name.hexdigest()


STREAM_PROCESSOR = make_artefact(FOLDER / "stream_processor")
