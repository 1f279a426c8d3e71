"""Regular expressions without one of their alternatives: does anybody miss it?"""

import re
from collections.abc import Iterator

# What is escaped or stands for one sign among several, and where groups begin, part and end.
_SIGNS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?(?:[:=!]|<[=!]|\w+:))?|[|)]")


def without_each_alternative(pattern: re.Pattern[str]) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield each alternative, on every level, and the pattern without it."""
    source = pattern.pattern
    for group in _groups(source):
        for number, (start, end) in enumerate(group):
            # The bar beside it goes as well.
            before, after = (start - 1, end) if number else (start, end + 1)
            yield source[start:end], re.compile(source[:before] + source[after:], pattern.flags)


def _groups(source: str) -> Iterator[list[tuple[int, int]]]:
    """Yield where the alternatives of each group lie, of those that have more than one."""
    open_: list[list[int]] = [[0]]
    for sign in _SIGNS.finditer(source):
        if sign.group().startswith("("):
            open_.append([sign.end()])
        elif sign.group() == "|":
            open_[-1] += [sign.start(), sign.end()]
        elif sign.group() == ")":
            yield from _parted([*open_.pop(), sign.start()])
    yield from _parted([*open_.pop(), len(source)])


def _parted(borders: list[int]) -> Iterator[list[tuple[int, int]]]:
    if len(borders) > 2:
        yield [*zip(borders[::2], borders[1::2], strict=True)]
