"""Parts of the page of pipelines."""
