"""Care of the lake: a loop of the worker that merges small files and deletes what nobody needs."""
