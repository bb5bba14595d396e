"""The exchange itself, as a pure state machine: records in, events out, the same on any machine.

No clock, no randomness, no environment, no I/O, no await. What it keeps for long is kept in ints,
bytes, untracked structs and dicts of these, which Python's cyclic garbage collector need not visit.
"""
