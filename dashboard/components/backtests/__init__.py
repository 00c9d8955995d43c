"""Parts of what a rule would have done."""
