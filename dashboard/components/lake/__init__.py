"""Parts of the page of the lake."""
