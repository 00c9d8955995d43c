"""Kafka as a store: where events that came by HTTP are written."""
