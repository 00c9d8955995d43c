"""Deliveries -> attempts."""
