"""Copy for different briefs by a model that takes its time, beside what could not be done faster.

    python -m benchmarks.copywriting [--briefs 1000] [--latency-ms 800] [--in-flight 50] [--rounds 3]

The model is llmock on this machine, in a process of its own. *Ideal* is the time that the answers alone take, so many
at once; ours includes prompts, the checking of each answer, and keeping each text durably in SQLite. CPU is this
process's own, for each call, importing the client not counted: that is once for a run.
"""

import argparse
import logging
import tempfile
import time
from pathlib import Path

from engagement_pipeline.copywriting.brand import load_brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.openai.writer import OpenAICopywriter
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform import clock
from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings
from engagement_pipeline.platform.settings_groups import CopywritingSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.model_server import ModelServer, reply, running_model_server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--briefs", type=int, default=1_000)
    parser.add_argument("--latency-ms", type=int, default=800)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    ideal = options.briefs / options.in_flight * options.latency_ms / 1_000
    started = time.perf_counter()
    import openai  # noqa: F401

    print(f"importing openai: {time.perf_counter() - started:.2f} s, once for a run that asks a model")
    print(
        f"{options.briefs:,} briefs, {options.latency_ms} ms each, {options.in_flight} in flight: ideal {ideal:.1f} s"
    )
    print(f"{'round':>6}{'seconds':>10}{'x ideal':>10}{'CPU ms each':>13}{'tokens':>12}{'US$':>8}{'US$ per 1,000':>15}")
    for number in range(1, options.rounds + 1):
        with (
            tempfile.TemporaryDirectory() as folder,
            running_model_server(Path(folder) / "log", latency_ms=options.latency_ms) as server,
        ):
            server.say(reply(times=None))
            contest(number, Path(folder), server, options.briefs, options.in_flight, ideal)


def contest(number: int, folder: Path, server: ModelServer, count: int, in_flight: int, ideal: float) -> None:
    database = Database(f"sqlite:///{folder / 'engagement.db'}")
    upgrade(database)
    brand = load_brand(PROJECT_ROOT / "data" / "brand.yaml")
    settings = Settings(openai_base_url=server.base_url, copywriting=CopywritingSettings(concurrency=in_flight))
    writer = OpenAICopywriter(settings, brand, TemplateCopywriter(brand), database, clock.now)
    # What is compiled at the first use is compiled here: an answer's rules, a statement.
    writer.write([brief(count)])
    briefs = [brief(place) for place in range(count)]
    cpu, started = time.process_time(), time.perf_counter()
    texts = writer.write(briefs)
    seconds = time.perf_counter() - started
    cpu = time.process_time() - cpu
    if any(text is None or text.author != "openai" for text in texts):
        raise SystemExit("not every brief got its text")
    spent = writer.spent
    tokens = spent.input_tokens + spent.output_tokens
    thousand = 1_000 * spent.cost_usd / spent.answers
    print(
        f"{number:6}{seconds:10.2f}{seconds / ideal:10.3f}{1_000 * cpu / count:13.2f}{tokens:12,}"
        f"{spent.cost_usd:8.2f}{thousand:15.2f}",
        flush=True,
    )


def brief(number: int) -> Brief:
    word = "".join("abcdefghijklmnopqrstuvwxyz"[number // 26**place % 26] for place in range(4))
    return Brief(
        silence="about_a_season",
        history="a_few_orders",
        basket="typical",
        categories=("dresses", "shoes"),
        other_interests=(word,),
        number=1,
        variant="note",
    )


if __name__ == "__main__":
    main()
