"""Parts of what tells how processes are."""
