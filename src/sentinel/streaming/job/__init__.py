"""The driver: one runner per pipeline, generations in Real-Time Mode, micro-batches."""
