"""Configuration as files: YAML in git, compared with what the API holds, and applied through it."""
