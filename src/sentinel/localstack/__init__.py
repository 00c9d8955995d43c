"""The local stack: real servers as supervised processes under one home directory, without containers or root."""
