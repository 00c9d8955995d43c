"""Where results go: alerts and dead letters, scores, the lake; and whose findings count while generations overlap."""
