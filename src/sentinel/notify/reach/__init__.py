"""Channels as they are kept -> connections that may be made."""
