"""Cells of CSV files that a spreadsheet may open."""

from __future__ import annotations

import re
from typing import Final

# A spreadsheet takes what begins so for a formula, behind white space as well (OWASP, "CSV Injection"); the wide forms
# are what East Asian keyboards write, and are taken alike.
_FORMULA: Final = tuple("=+-@＝＋－＠")
# Where the decimal point is a comma, spreadsheets split lines at semicolons, whatever is quoted: there begins a cell.
_HIDDEN_FORMULA: Final = re.compile(r"(;[\s\"']*)(?=[=+\-@＝＋－＠])")


def safe_cell(text: str) -> str:
    """Return a text that no spreadsheet computes: with an apostrophe before what would begin a formula."""
    shown = _HIDDEN_FORMULA.sub(r"\1'", text.replace("\x00", ""))
    return f"'{shown}" if shown.startswith(("\t", "\r", "\n")) or shown.lstrip().startswith(_FORMULA) else shown
