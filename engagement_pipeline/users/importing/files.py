"""Finding, checking and opening files; reading text by lines of bounded length."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engagement_pipeline.users.importing.raw import Fault, Line, UnreadableFileError

# Longer lines are rejected: no record of a user or an order is that long, and memory stays bounded.
MAX_LINE = 1024 * 1024

_GZIP = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_CHUNK = 1024 * 1024
_SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet")
_BROKEN = (EOFError, OSError, zlib.error)


def find(path: Path) -> list[tuple[Path, str]]:
    """Return the file, or the importable files of the folder and those below it, each with the name to report.

    Raises:
        UnreadableFileError: there is no such file, or none of a known kind in the folder.
    """
    if path.is_file():
        return [(path, path.name)]
    if not path.is_dir():
        raise UnreadableFileError(f"{path.name} does not exist")
    inside = [(file, file.relative_to(path)) for file in sorted(path.rglob("*")) if file.is_file()]
    # Hidden files and those that begin with an underscore (_SUCCESS, _metadata) are the marks of other programs.
    found = [
        (file, name.as_posix())
        for file, name in inside
        if not any(part.startswith((".", "_")) for part in name.parts) and plain_suffix(file) in _SUFFIXES
    ]
    if not found:
        raise UnreadableFileError(f"the folder {path.name} holds no {', '.join(_SUFFIXES)} file, gzip or not")
    return found


def plain_suffix(path: Path) -> str:
    """Return the suffix in small letters, without a `.gz`."""
    name = path.name.lower()
    return Path(name[:-3] if name.endswith(".gz") else name).suffix


@contextmanager
def open_binary(path: Path, name: str) -> Iterator[IO[bytes]]:
    """Open a file for reading, unpacking gzip; what goes wrong while it is open becomes one sentence."""
    try:
        with path.open("rb") as plain:
            packed = plain.read(len(_GZIP)) == _GZIP
            plain.seek(0)
            with io.BufferedReader(gzip.GzipFile(fileobj=plain)) if packed else plain as stream:
                yield stream
    except _BROKEN as error:
        raise UnreadableFileError(f"{name} cannot be read to its end: {_why(error)}") from error


def check_whole(path: Path, name: str) -> bytes:
    """Read the file once, so that a broken one is known before anything is written; return its beginning.

    Raises:
        UnreadableFileError: it is broken, empty, or in another encoding.
    """
    with open_binary(path, name) as stream:
        head = stream.read(_CHUNK)
        while stream.read(_CHUNK):
            pass
    if head.startswith(_WIDE_BOMS):
        raise UnreadableFileError(f"{name} is encoded in UTF-16; save it as UTF-8")
    if not head.removeprefix(_UTF8_BOM).strip():
        raise UnreadableFileError(f"{name} is empty")
    return head.removeprefix(_UTF8_BOM)


def read_lines(path: Path, name: str) -> Iterator[Line]:
    """Read a text file in UTF-8, with or without a byte order mark, line by line; blank lines are passed over."""
    with open_binary(path, name) as stream:
        number = 0
        while data := stream.readline(MAX_LINE):
            number += 1
            whole = data.endswith(b"\n") or len(data) < MAX_LINE
            length = len(data) if whole else len(data) + _skip_line(stream)
            if number == 1:
                data = data.removeprefix(_UTF8_BOM)
            if length > MAX_LINE:
                fault = Fault(None, "line_too_long", f"the line has {length:,} bytes, at most {MAX_LINE:,} are read")
                yield Line(number, _legible(data), length, fault)
            elif data.strip():
                yield _decoded(number, data)


def _skip_line(stream: IO[bytes]) -> int:
    skipped = 0
    while data := stream.readline(MAX_LINE):
        skipped += len(data)
        if data.endswith(b"\n"):
            break
    return skipped


def _decoded(number: int, data: bytes) -> Line:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = _legible(data)
        return Line(number, text.rstrip("\r\n"), len(text), Fault(None, "not_utf8", "the line is not text in UTF-8"))
    return Line(number, text.rstrip("\r\n"), len(text))


def _legible(data: bytes) -> str:
    return data.decode(errors="backslashreplace")


def _why(error: BaseException) -> str:
    if isinstance(error, PermissionError):
        return "permission denied"
    return "it is damaged or cut off" if isinstance(error, (EOFError, gzip.BadGzipFile, zlib.error)) else str(error)
