"""A backtest as a picture: is the score honest (calibration), and does it rank better than simpler rules?"""

import io
from typing import Any

from engagement_pipeline.scoring.backtest_report import BacktestReport

_COLOURS = ("#1f5fa8", "#c2571a", "#3a7d44", "#7a4fa3", "#8a8a8a")
_GREY = "#6b6b6b"


def plot(report: BacktestReport) -> bytes:
    """Draw the report as a PNG: calibration by decile on the left, ranking beside simpler rules on the right."""
    # The object-oriented interface: pyplot would keep state and may look for a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.8), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    calibration, comparison = figure.subplots(1, 2, width_ratios=(1.1, 1))
    _draw_calibration(calibration, report)
    _draw_comparison(comparison, report)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _draw_calibration(axes: Any, report: BacktestReport) -> None:
    highest = 0.0
    for number, cutoff in enumerate(report.cutoffs):
        predicted = [100 * decile.predicted for decile in cutoff.deciles]
        observed = [100 * decile.observed for decile in cutoff.deciles]
        highest = max(highest, *predicted, *observed)
        axes.plot(
            predicted,
            observed,
            marker="o",
            markersize=5,
            linewidth=1.5,
            color=_COLOURS[number % len(_COLOURS)],
            label=f"{cutoff.day}: {cutoff.users:,} users, Brier {cutoff.brier:.3f}",
        )
    limit = min(100.0, highest * 1.08 + 2)
    axes.plot([0, limit], [0, limit], linestyle="--", linewidth=1, color=_GREY, label="score and outcome agree")
    axes.set_xlim(0, limit)
    axes.set_ylim(0, limit)
    axes.set_xlabel("mean score of the decile")
    axes.set_ylabel(f"% that ordered within {report.horizon_days} days")
    axes.set_title("Does the score mean what it says?", loc="left", fontsize=11)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    _tidy(axes)


def _draw_comparison(axes: Any, report: BacktestReport) -> None:
    rules = ("engagement score", "RFM quintiles", "recency alone")
    height = 0.8 / len(report.cutoffs)
    for number, cutoff in enumerate(report.cutoffs):
        values = [0.5 if auc is None else auc for auc in (cutoff.auc, cutoff.auc_rfm, cutoff.auc_recency)]
        offset = (number - (len(report.cutoffs) - 1) / 2) * height
        bars = axes.barh(
            [place + offset for place in range(len(rules))],
            values,
            height=height * 0.9,
            color=_COLOURS[number % len(_COLOURS)],
            label=str(cutoff.day),
        )
        axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    axes.set_yticks(range(len(rules)), rules)
    axes.invert_yaxis()
    # Chance is 0.5: a bar that began at 0 would hide the differences that matter.
    axes.set_xlim(0.5, 1)
    axes.set_xlabel("AUC (0.5: no better than chance, 1: perfect)")
    axes.set_title("Does it rank better than simpler rules?", loc="left", fontsize=11)
    if len(report.cutoffs) > 1:
        axes.legend(frameon=False, fontsize=8, loc="lower right")
    _tidy(axes)


def _tidy(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    axes.xaxis.label.set_size(9)
    axes.yaxis.label.set_size(9)
