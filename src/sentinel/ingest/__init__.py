"""Events and signed webhooks on their way in: verify, tell apart, keep as received, publish."""
