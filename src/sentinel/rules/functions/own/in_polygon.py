"""in_polygon: whether a place lies in a fenced area.

Even-odd rule: a ray from the place to the east crosses the fence an odd number of times (M. Shimrat, "Algorithm 112",
CACM 5, 1962). In degrees, as on a flat map; a fence does not cross the 180th meridian.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sentinel.rules.bound import Bound
from sentinel.rules.chains import chain
from sentinel.rules.functions.base import Accepts, Argument, RuleFunction
from sentinel.rules.literals import number_literal
from sentinel.rules.types import BOOLEAN

MAX_CORNERS = 100
_CORNER = re.compile(r"\s*(-?\d{1,3}(?:\.\d{1,15})?)\s+(-?\d{1,3}(?:\.\d{1,15})?)\s*")
_FORM = "Write it as 'lat lon, lat lon, lat lon'."


def corners_of(fence: str) -> list[tuple[float, float]]:
    """Return the corners (latitude, longitude) that a text names.

    Raises:
        ValueError: It is not a fence; the message says why.
    """
    corners = []
    for part in fence.split(","):
        corner = _CORNER.fullmatch(part)
        if corner is None:
            raise ValueError(f"{part.strip()[:40]!r} is not a corner. {_FORM}")
        latitude, longitude = float(corner[1]), float(corner[2])
        if abs(latitude) > 90 or abs(longitude) > 180:
            raise ValueError(f"{part.strip()!r} is no place: latitudes end at 90, longitudes at 180 degrees.")
        corners.append((latitude, longitude))
    if corners[0] == corners[-1]:
        corners.pop()
    if not 3 <= len(corners) <= MAX_CORNERS:
        raise ValueError(f"A fence has 3 to {MAX_CORNERS} corners, not {len(corners)}. {_FORM}")
    return corners


def _problem(fence: str) -> str | None:
    try:
        corners_of(fence)
    except ValueError as error:
        return str(error)
    return None


def _build(arguments: Sequence[Bound], sql: Sequence[str]) -> str:
    latitude, longitude = sql[0], sql[1]
    corners = corners_of(str(arguments[2].literal))
    crossings = []
    for (lat_a, lon_a), (lat_b, lon_b) in zip(corners, corners[1:] + corners[:1], strict=True):
        if lat_a == lat_b:
            continue
        low, high = number_literal(min(lat_a, lat_b)), number_literal(max(lat_a, lat_b))
        slope = number_literal((lon_b - lon_a) / (lat_b - lat_a))
        along = f"try_multiply({slope}, try_subtract({latitude}, {number_literal(lat_a)}))"
        east = f"{longitude} < try_add({along}, {number_literal(lon_a)})"
        crossings.append(f"when({latitude} >= {low} AND {latitude} < {high} AND {east}, 1L, 0L)")
    return f"when({latitude} IS NOT NULL AND {longitude} IS NOT NULL, ({chain(crossings or ['0L'], '^')} = 1L))"


FUNCTION = RuleFunction(
    "in_polygon",
    (
        Argument("lat", Accepts.DOUBLE),
        Argument("lon", Accepts.DOUBLE),
        Argument("fence", Accepts.LITERAL_TEXT, low=1, high=5_000, problem=_problem),
    ),
    BOOLEAN,
    "in_polygon(device.geo.lat, device.geo.lon, '50 5, 55 5, 55 15, 50 15')",
    "whether a place in degrees lies within a fence of corners 'lat lon, lat lon, ...'",
    build=_build,
    own=True,
)
