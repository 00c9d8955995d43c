"""Pieces of a condition, and how they are joined so that a missing field means what it means in Sigma.

In Sigma a comparison with a field that the event does not have is false, and NOT of it is true. A rule of Sentinel
would say unknown in both cases. AND and OR treat unknown like false as far as the outcome "true" goes, so one
`coalesce` around a whole piece without NOT is exact, and NOT gets one around its operand.

Some comparisons are unknown for another reason: a text too long for its regular expression. That is not "false" and NOT
of it is not "true", so there each comparison gets its own guard, and the rule stays unknown for such an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Null(IntEnum):
    """What a piece's null stands for."""

    NEVER = 0
    """It is never null."""
    FALSE = 1
    """A field is missing or holds another kind of value: false."""
    UNKNOWN = 2
    """It cannot be computed; a missing field is false already."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A condition, or part of one.

    Attributes:
        sql: In the language of rules. `A AND B` and `A OR B` are in parentheses.
        null: What null stands for.
        equal: For `left = 'value'`: both sides, so that alternatives can become one IN.
    """

    sql: str
    null: Null
    equal: tuple[str, str] | None = None

    def total(self) -> Piece:
        """Return the piece with false in place of a null that stands for it."""
        return Piece(f"coalesce({self.sql}, FALSE)", Null.NEVER) if self.null is Null.FALSE else self


NEVER_TRUE = Piece("FALSE", Null.NEVER)
"""Of a field that no event has."""


def compared(sql: str) -> Piece:
    """Return a comparison that is null where a field is missing."""
    return Piece(sql, Null.FALSE)


def equality(left: str, literal: str) -> Piece:
    """Return `left = literal`."""
    return Piece(f"{left} = {literal}", Null.FALSE, (left, literal))


def all_of(pieces: Sequence[Piece]) -> Piece:
    """Join by AND."""
    if any(piece.sql == "FALSE" for piece in pieces):
        return NEVER_TRUE
    return _joined("AND", pieces)


def any_of(pieces: Sequence[Piece]) -> Piece:
    """Join by OR; equalities of one field become IN."""
    kept = [piece for piece in pieces if piece.sql != "FALSE"]
    if not kept:
        return NEVER_TRUE
    literals: dict[str, list[str]] = {}
    for piece in kept:
        if piece.equal:
            literals.setdefault(piece.equal[0], []).append(piece.equal[1])
    merged: list[Piece] = []
    done: set[str] = set()
    for piece in kept:
        if piece.equal is None or len(set(literals[piece.equal[0]])) == 1:
            merged.append(piece)
        elif piece.equal[0] not in done:
            done.add(piece.equal[0])
            merged.append(compared(f"{piece.equal[0]} IN ({', '.join(dict.fromkeys(literals[piece.equal[0]]))})"))
    return _joined("OR", list(dict.fromkeys(merged)))


def negated(piece: Piece) -> Piece:
    """Return NOT of a piece."""
    if piece.sql == "FALSE":
        return Piece("TRUE", Null.NEVER)
    inner = piece.total()
    return Piece(f"NOT {inner.sql}" if inner.sql[0] == "(" or inner is not piece else f"NOT ({inner.sql})", inner.null)


def finished(piece: Piece) -> str:
    """Return the whole condition."""
    return piece.total().sql


def _joined(operator: str, pieces: Sequence[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    null = max(piece.null for piece in pieces)
    parts = [piece.total() if null is Null.UNKNOWN else piece for piece in pieces]
    return Piece(f"({f' {operator} '.join(part.sql for part in parts)})", null)
