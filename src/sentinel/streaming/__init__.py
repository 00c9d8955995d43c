"""Everything that needs Spark: `job` runs `sink`s over `query`s; `reconcile` proves what came out."""
