"""Which Redis the settings name."""

from urllib.parse import urlsplit

from tradeclear.config.load import SettingsError
from tradeclear.config.settings import Settings


def redis_url(settings: Settings) -> str | None:
    """Its URL: `redis_url`, or that of `redis_host` and `redis_port`; None if there is neither.

    Raises `SettingsError`, which does not repeat the URL: there may be a password in it.
    """
    url = settings.redis_url
    if url is None and settings.redis_host is not None:
        host = settings.redis_host
        url = f"redis://{f'[{host}]' if ':' in host else host}:{settings.redis_port}/0"
    try:
        _port = urlsplit(url or "").port
    except ValueError:
        raise SettingsError(
            "redis_url: is no URL with a port from 0 to 65535; write `/`, `@`, `:` and `#` in a "
            "password as %2F, %40, %3A and %23"
        ) from None
    return url
