"""An hour of real order flow: its record, the replay of it, and the exchange it is put to."""
