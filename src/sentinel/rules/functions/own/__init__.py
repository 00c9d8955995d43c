"""Functions that Spark does not have, made of those that it has: one file and one line here for each."""

from __future__ import annotations

from sentinel.rules.functions.base import registry
from sentinel.rules.functions.own import (
    distance_km,
    domain_of,
    in_polygon,
    ip_in,
    is_weekend,
    luhn_valid,
    similarity,
)

OWN_FUNCTIONS = registry(
    distance_km.FUNCTION,
    in_polygon.FUNCTION,
    domain_of.FUNCTION,
    ip_in.FUNCTION,
    is_weekend.FUNCTION,
    luhn_valid.FUNCTION,
    similarity.FUNCTION,
)
