"""Depth out of copies: the routes of a process that only shows books which another one keeps."""
