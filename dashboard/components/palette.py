"""Colours of charts: told apart by people who see colours differently, and in grey, on light and on dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# After Okabe and Ito, "Color Universal Design" (2008), https://jfly.uni-koeln.de/color/; yellow is left out, since it
# cannot be seen on white.
SERIES_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C8C8C")
# The lightness of each differs too, the most urgent being the darkest.
SEVERITY_COLORS: Mapping[str, str] = {"critical": "#B83A00", "warning": "#EBA800", "info": "#3A8FD0"}
# Around every bar: seen on light and on dark, and between two bars of one stack.
OUTLINE = "#7A7F87"
# A line is told apart by these as well; dashes in pixels on, off, ...
DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (6, 3), (2, 2), (8, 2, 2, 2), (12, 4), (4, 1), (1, 3))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
MAX_SERIES = len(SERIES_COLORS)


def colors_of(series: Sequence[str]) -> list[str]:
    """Return a colour for each series: severities have theirs wherever they are shown, others in their order."""
    if all(name in SEVERITY_COLORS for name in series):
        return [SEVERITY_COLORS[name] for name in series]
    return [SERIES_COLORS[place % MAX_SERIES] for place in range(len(series))]
