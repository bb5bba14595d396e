"""Order books in Redis, for readers elsewhere: written by one exchange, read by any number.

Redis holds a copy and nothing else: whatever happens to it, the exchange goes on, and writes the
copy anew when Redis is there again. docs/redis-mirror.md has the keys and what they promise.
"""
