"""Outbox -> decisions -> deliveries."""
