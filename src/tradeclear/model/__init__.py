"""The values everything speaks in: units, instruments, orders, commands, events, reasons, errors.

Frozen, without behaviour beyond their own arithmetic; standard library and msgspec only.
"""
