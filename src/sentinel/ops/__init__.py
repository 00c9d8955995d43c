"""Working with alerts: who looks at one, and what it was."""
