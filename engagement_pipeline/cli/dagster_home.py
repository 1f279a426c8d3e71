"""Where Dagster keeps its runs: prepared once, so that the demo and the UI show the same history."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    import dagster as dg


def prepare(settings: Settings) -> Path:
    """Make $DAGSTER_HOME (default: `dagster/` in the data folder) with the project's `dagster.yaml`; return it.

    The storage is opened once here: two processes that open a new SQLite home at once can break its migration.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or settings.data_dir / "dagster").resolve()
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)

    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        if _is_ours_alone(home):
            end_abandoned_runs(instance)
    return home


def end_abandoned_runs(instance: "dg.DagsterInstance") -> int:
    """Fail the runs that are still called running though nobody runs them, and free their slots; return how many.

    A process that was killed says nothing any more. Its run would hold the warehouse's only slot for ever, and every
    later run would wait for it: Dagster's monitoring cannot ask the default launcher about processes of earlier lives.
    """
    import dagster as dg

    running = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    abandoned = instance.get_runs(filters=dg.RunsFilter(statuses=running))
    for run in abandoned:
        instance.report_run_failed(run, "The run's process has ended without saying so.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(abandoned)


def _is_ours_alone(home: Path) -> bool:
    """Lock the home for as long as this process lives; False where another one has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    lock = os.open(home / "in_use.lock", os.O_RDWR | os.O_CREAT, 0o600)
    # Kept open on purpose, also by the `dagster dev` that takes this process's place: its end is what frees the lock.
    os.set_inheritable(lock, True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return False
    return True
