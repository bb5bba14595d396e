"""Redis URLs, as they are told."""

from urllib.parse import urlsplit


def shown(url: str) -> str:
    """A Redis URL as it may be told to anyone: without user, password and parameters."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
