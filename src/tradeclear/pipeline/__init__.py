"""The one path that everything hangs on: matcher, flusher, commit gate, and what follows them.

Trio tasks and memory channels; no sockets, and no files of its own. Nothing leaves this package
before the record that caused it is durable.
"""
