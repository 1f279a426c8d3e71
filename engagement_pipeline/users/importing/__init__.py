"""Import of users and orders from files: CSV, JSON Lines and Parquet, one file or a folder, gzip or not.

`files` finds and opens them, `csv_file`, `json_file` and `parquet_file` read raw records, `converters` and
`fields` turn texts into validated users and orders, `load` writes them in batches and rejects what is wrong.
"""

from engagement_pipeline.users.importing.load import ImportReport, Progress, import_path, read_valid
from engagement_pipeline.users.importing.raw import UnreadableFileError

__all__ = ["ImportReport", "Progress", "UnreadableFileError", "import_path", "read_valid"]
