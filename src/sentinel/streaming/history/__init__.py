"""The past: rules evaluated over the lake, with the expressions that run live."""
