"""A stand-in for Binance on loopback: its REST and WebSocket wire format, and its bad days.

The market is generated from a seed or replayed from a recording. Faults come from the command line
or from `POST /sim/faults`. Clients of the real venue, ccxt among them, run against it unchanged.
"""
