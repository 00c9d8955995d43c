"""Notifications: what leaves, to whom, when, and why not."""
