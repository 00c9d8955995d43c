"""distance_km: how far two places are apart.

The haversine formula on a sphere of the Earth's mean radius (R. W. Sinnott, "Virtues of the Haversine", Sky and
Telescope 68, 1984); within 0.6 % of the ellipsoid. Exact enough near the antipodes, where the root may pass 1.
"""

from __future__ import annotations

from sentinel.rules.functions.base import Accepts, Argument, RuleFunction
from sentinel.rules.types import FLOAT

EARTH_RADIUS_KM = 6371.0088

_HALF_ACROSS = "power(sin(try_divide(radians(try_subtract({2}, {0})), 2D)), 2D)"
_HALF_ALONG = "power(sin(try_divide(radians(try_subtract({3}, {1})), 2D)), 2D)"
_COSINES = "try_multiply(cos(radians({0})), cos(radians({2})))"
_ROOT = f"least(1D, sqrt(try_add({_HALF_ACROSS}, try_multiply({_COSINES}, {_HALF_ALONG}))))"
_LATITUDES = "{0} >= (-90D) AND {0} <= 90D AND {2} >= (-90D) AND {2} <= 90D"
_LONGITUDES = "{1} >= (-180D) AND {1} <= 180D AND {3} >= (-180D) AND {3} <= 180D"

FUNCTION = RuleFunction(
    "distance_km",
    tuple(Argument(name, Accepts.DOUBLE) for name in ("lat1", "lon1", "lat2", "lon2")),
    FLOAT,
    "distance_km(device.geo.lat, device.geo.lon, 52.5, 13.4) > 300",
    "kilometres between two places in degrees; null for what is no place",
    expansion=f"when({_LATITUDES} AND {_LONGITUDES}, try_multiply({2 * EARTH_RADIUS_KM!r}D, asin({_ROOT})))",
    may_be_nan=True,
    own=True,
)
