"""Scoring and gating many users: this project's SQL beside what DuckDB needs at the least, polars and pandas.

    python -m benchmarks.scoring [--users 10_000_000] [--only "floor; ours"] [--memory 320MB]

Each contestant runs in a process of its own, which reports its time and the most memory it held. All start from the
same users and end with the same two tables written: a score for everybody, a decision for everybody at risk. The floor
and ours read and write tables of a DuckDB file; polars and pandas, which cannot, read and write Parquet files.

The floor is what DuckDB needs at the least: it reads the columns that ours reads and writes two tables of the same
columns, compressed in the same way and about as long as ours, with nothing computed: no score, no rule, no hold-out, no
look at who shares an address. "Scores only" is the first table and what it is made of.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import scoring_contestants as contestants
from benchmarks import scoring_rivals as rivals

CONTESTANTS = {
    "floor": contestants.floor,
    "floor, scores only": contestants.floor_scores,
    "ours, first day": contestants.ours,
    "ours": contestants.ours,
    "ours, scores only": contestants.ours_scores,
    "ours, 100,000 changed": contestants.ours_changed,
    "polars": rivals.polars,
    "pandas": rivals.pandas,
}

# Compared with the first table alone.
SCORES_ONLY = {"floor, scores only", "ours, scores only", "ours, 100,000 changed"}


@dataclass(frozen=True)
class Result:
    name: str
    seconds: float
    megabytes: float
    at_risk: int | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=lambda text: int(text.replace("_", "")), default=10_000_000)
    parser.add_argument("--only", default=";".join(CONTESTANTS), help=f"some of: {'; '.join(CONTESTANTS)}")
    parser.add_argument("--memory", default="320MB", help="DuckDB's memory limit")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run is not None:
        seconds, at_risk = CONTESTANTS[options.run](options.folder, options.memory)
        print(json.dumps({"seconds": seconds, "at_risk": at_risk, "megabytes": peak_megabytes()}))
        return
    names = [name.strip() for name in options.only.split(";")]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        parquet = bool({"polars", "pandas"} & set(names))
        prepare(Path(folder), options.users, options.memory, parquet=parquet)
        results = [run(name, Path(folder), options.memory) for name in names]
    report(results, options.users)


def prepare(folder: Path, users: int, memory: str, *, parquet: bool) -> None:
    # In a process of its own: on Linux, a process begins with the peak of the one that started it.
    process = multiprocessing.get_context("spawn").Process(
        target=contestants.prepare, args=(folder, users, memory), kwargs={"parquet": parquet}
    )
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit("the users could not be written")


def run(name: str, folder: Path, memory: str) -> Result:
    command = [sys.executable, "-m", "benchmarks.scoring", "--run", name, "--folder", str(folder), "--memory", memory]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result = Result(name=name, **json.loads(output.splitlines()[-1]))
    print(f"{result.name}: {result.seconds:.2f} s", file=sys.stderr)
    return result


def report(results: list[Result], users: int) -> None:
    by_name = {result.name: result for result in results}
    print(f"\n{users:,} users{'':12}{'s':>8}{'x floor':>10}{'x ours':>9}{'MB':>8}{'at risk':>13}")
    for result in results:
        half = ", scores only" if result.name in SCORES_ONLY else ""
        ratios = [
            f"{result.seconds / by_name[other].seconds:.2f}" if other in by_name else ""
            for other in (f"floor{half}", f"ours{half}")
        ]
        at_risk = "" if result.at_risk is None else f"{result.at_risk:,}"
        print(f"{result.name:24}{result.seconds:8.2f}{ratios[0]:>10}{ratios[1]:>9}{result.megabytes:8.0f}{at_risk:>13}")


def peak_megabytes() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
