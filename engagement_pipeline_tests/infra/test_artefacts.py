"""The stream processor's code as a file."""

import io
import os
import zipfile
from pathlib import Path

from infra.artefacts import STREAM_PROCESSOR, make_artefact


def test_the_same_code_makes_the_same_file_whenever_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "processor"
    folder.mkdir()
    source = folder / "handler.py"
    source.write_text("def handler(event, context): ...\n")
    first = make_artefact(folder)
    os.utime(source, (1_000_000_000, 1_000_000_000))
    assert make_artefact(folder) == first
    source.write_text("def handler(event, context): return {}\n")
    assert make_artefact(folder).key != first.key


def test_it_holds_what_lambda_calls_and_whoever_runs_it_may_read_it() -> None:
    with zipfile.ZipFile(io.BytesIO(STREAM_PROCESSOR.content)) as archive:
        names = archive.namelist()
        modes = {entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert "handler.py" in names
    assert not [name for name in names if "__pycache__" in name]
    assert modes == {0o644}
