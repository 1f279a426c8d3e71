"""The command line, `engagement`: plain words, progress on long work, `--json` for scripts.

Exit codes: 0 success, 1 failure, 2 bad input.
"""

import os
import sys
import traceback

import typer
from pydantic import ValidationError

from engagement_pipeline.cli import (
    code_server,
    copy,
    deliveries,
    demo,
    dev,
    orders,
    preview,
    scoring,
    status,
    suppressions,
    tables,
    tokens,
    users,
    web,
)
from engagement_pipeline.platform.errors import BadInputError

FAILURE = 1
BAD_INPUT = 2

app = typer.Typer(
    help="Finds the clients you are losing, writes to them once, and measures whether it helped.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
demo.register(app)
dev.register(app)
code_server.register(app)
orders.register(app)
scoring.register(app)
deliveries.register(app)
copy.register(app)
preview.register(app)
suppressions.register(app)
tables.register(app)
users.register(app)
tokens.register(app)
web.register(app)
status.register(app)


def main() -> None:
    """Run the command line; no traceback reaches the user unless ENGAGEMENT_TRACEBACK is set."""
    try:
        app()
    except BadInputError as error:
        _fail(str(error), BAD_INPUT)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        _fail(f"{error.title}: {problems}", BAD_INPUT)
    except Exception as error:
        if os.environ.get("ENGAGEMENT_TRACEBACK"):
            traceback.print_exc()
        _fail(f"{type(error).__name__}: {error}", FAILURE)


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"engagement: {message}\n")
    raise SystemExit(code)
