"""Say why a rule is true, false or unknown for an event: its tree, the verdict of each part, and what decided."""
