"""A figure that stands by itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """What it counts, the figure, and a few words that put it in its place."""

    name: str
    value: str
    detail: str
