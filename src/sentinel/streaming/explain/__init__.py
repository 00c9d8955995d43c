"""Explanations of rules and tests of rules, by the engine's own parsing and expressions."""
