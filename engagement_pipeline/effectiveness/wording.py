"""What is known of an effect, in a sentence for a person who has to decide on it."""

from engagement_pipeline.effectiveness.lift import Effect


def conclusion(lift: Effect, mailed_share: float, held_out_share: float, days: int) -> str:
    """Say what a measured lift means. Shares lie between 0 and 1."""
    shares = (
        f"{mailed_share:.1%} of those written to ordered within {days} days, {held_out_share:.1%} of those held out: "
        f"{_points(lift.difference)} points (95 % interval {_points(lift.low)} to {_points(lift.high)})"
    )
    if lift.low > 0:
        return f"Writing brings orders: {shares}."
    if lift.high < 0:
        return f"Writing costs orders: {shares}."
    return f"No effect is proven: {shares}, which may be chance."


def not_enough(shortage: str, still_open: int, days: int) -> str:
    """Say what is missing, and how many decisions are too young to count."""
    waiting = f"; {still_open:,} decisions are less than {days} days old and count later" if still_open else ""
    return f"Not enough data yet: {shortage}{waiting}."


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
