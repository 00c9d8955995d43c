"""Notifications in PostgreSQL: what is decided, what is sent, and why."""
