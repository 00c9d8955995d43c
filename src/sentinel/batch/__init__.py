"""The scheduled runtime: detectors over windows of time."""
