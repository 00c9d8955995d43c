"""Parts of the page of dead letters."""
