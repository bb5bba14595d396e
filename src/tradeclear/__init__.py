"""An exchange in one process: it matches orders and makes every outcome durable before it tells."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("tradeclear")
except PackageNotFoundError:  # read from a checkout, as load-test/ reads the plots
    __version__ = "0+checkout"
