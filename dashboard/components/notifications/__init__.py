"""Parts of the page of notifications."""
