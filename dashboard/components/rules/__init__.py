"""Parts of the page of rules."""
