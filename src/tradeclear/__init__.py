"""An exchange in one process: it matches orders and makes every outcome durable before it tells."""

from importlib.metadata import version

__version__ = version("tradeclear")
