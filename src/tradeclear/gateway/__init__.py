"""The front door: HTTP requests become commands and queries, outcomes become replies.

`requests`, `decode`, `orders`, `views` and `replies` turn bytes into commands and outcomes into
bytes, synchronously and without a web framework, so that every door calls the same functions. The
routes are framework-neutral as well; `app` mounts them in Quart-Trio and `server` puts that on a
socket with Hypercorn.
"""
