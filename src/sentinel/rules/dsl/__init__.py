"""The short form of a rule: `when CONDITION then ACTION, ...`."""
