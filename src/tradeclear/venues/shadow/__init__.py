"""The shadow feed: an outside market lives in one of our books, as orders of two house clients.

Its depth is quoted, its trades are IOC orders; both go through the same channel and log as
everyone's. docs/shadow-market.md has the rules.
"""
