"""What proves the exchange and ships with it: oracle, generators, invariants, fakes.

Held to the same standard as what they test, and usable by anyone who builds on tradeclear.
"""
