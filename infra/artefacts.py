"""The stream processor's code as a file that Lambda takes, named by its content."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent / "stream_processor"
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


STREAM_PROCESSOR = make_artefact(_FOLDER)
