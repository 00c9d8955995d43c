"""`sentinel demo`: the whole system at work, from an empty machine to a proof."""

from __future__ import annotations

from sentinel.cli.demo.command import demo

__all__ = ["demo"]
