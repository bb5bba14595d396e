"""Deterministic simulation: the real pipeline, on time, tasks, disk and clients made from a seed.

A seed and a commit give the same run, to the last byte on the simulated disk. `world` runs one
seed, `seeds` many; everything else is what a world is made of.
"""
