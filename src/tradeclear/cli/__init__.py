"""The command line: `tradeclear serve`, `tradeclear wal …`."""
