"""The composition root: what the exchange consists of, wired in one place, under one nursery."""
