"""The front door: the public port, where order entry is answered without a framework.

One task serves every connection that does nothing but enter orders: it reads what has come, parses
with llhttp, hands commands to the exchange, and writes the replies of a commit with one call a
connection. Whatever it does not understand at a glance it hands over, with the bytes already read,
to Hypercorn and Quart-Trio behind it, which know everything else and say no in the same words.
"""
