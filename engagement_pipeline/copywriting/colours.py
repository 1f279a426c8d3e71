"""Colours of an e-mail and whether people can read them; nothing about where they are used."""

import re

_HEX = re.compile(r"#[0-9a-fA-F]{6}")

# WCAG 2.2, success criterion 1.4.3 (AA) for text of normal size.
READABLE_CONTRAST = 4.5


def is_colour(value: str) -> bool:
    """Tell whether a value is written `#rrggbb`, the one form every mail program understands."""
    return _HEX.fullmatch(value) is not None


def contrast(one: str, other: str) -> float:
    """Return the WCAG contrast ratio of two `#rrggbb` colours, from 1 (none) to 21 (black on white).

    Source: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
    """
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
