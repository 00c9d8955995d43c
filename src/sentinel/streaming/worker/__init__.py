"""The rule worker: does engine tasks with one warm local Spark session."""
