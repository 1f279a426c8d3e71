"""How commands show results: tables for people, JSON for scripts, a progress bar while it takes long."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def emit(result: Mapping[str, Any], as_json: bool, render: Callable[[], None]) -> None:
    """Print a result as JSON, or let `render` print it for people."""
    if as_json:
        typer.echo(json.dumps(result, default=str, ensure_ascii=False))
    else:
        render()


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]], *, whole: Collection[str] = ()) -> None:
    """Print a table; numbers to the right, with thousands separators, columns in `whole` never broken into lines."""
    from rich.console import Console
    from rich.table import Table

    view = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for index, name in enumerate(header):
        is_number = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        view.add_column(name, justify="right" if is_number else "left", overflow="fold", no_wrap=name in whole)
    for row in rows:
        view.add_row(*[_cell(value) for value in row])
    Console().print(view)


def bars(title: str, what: str, counts: Mapping[str, int]) -> None:
    """Print counts with their share and a bar."""
    total = max(sum(counts.values()), 1)
    rows = [
        (name, number, f"{number / total:.1%}", "█" * round(30 * number / total)) for name, number in counts.items()
    ]
    table(title, [what, "count", "share", ""], rows)


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "" if value is None else ("yes" if value else "no")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return str(value)


@contextmanager
def progress(what: str, unit: str = "", *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a running count on standard error; yields a function that adds to it."""
    with _bar(what, f"0 {unit}", quiet) as (bar, task):
        done = 0

        def advance(number: int) -> None:
            nonlocal done
            done += number
            bar.update(task, completed=done, count=f"{done:,} {unit}")

        yield advance
        bar.update(task, total=done or 1, completed=done or 1)


@contextmanager
def progress_of_total(what: str, unit: str = "", *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show on standard error how much is done; yields a function that is told what is done, and of how much."""
    with _bar(what, "", quiet) as (bar, task):

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, count=f"{done:,} of {total:,} {unit}")

        yield tell


@contextmanager
def _bar(what: str, count: str, quiet: bool) -> Iterator[tuple["Progress", "TaskID"]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(pulse_style="cyan"))
    counter = TextColumn("{task.fields[count]}")
    with Progress(*columns, counter, TimeElapsedColumn(), console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task(what, total=None, count=count)
        try:
            yield bar, task
        except BaseException:
            # What went wrong is said below; half a bar above it would only blur it.
            bar.update(task, visible=False)
            raise
