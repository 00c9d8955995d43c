"""The typed client of the configuration API."""

from sentinel.client.client import Client

__all__ = ["Client"]
