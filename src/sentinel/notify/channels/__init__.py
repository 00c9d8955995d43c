"""Channels: the kinds of target that a notification can go to, one per file; `kinds.py` lists them."""
