"""Streams: what became durable, told to everyone who subscribed to it (docs/streams.md).

A message is made once, whoever hears it. `streams.py` makes and hands out; `session.py` is one
subscriber's conversation; `catching_up.py` brings a subscription from its beginning, a snapshot or
a place in the log, to the present, where it joins the others.
"""
