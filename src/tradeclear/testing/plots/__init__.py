"""Plots as SVG, for the reports of soaks, load tests and benchmarks. Only the standard library.

`charts` draws lines over time and bars; `scales` has the axes, `svg` the shapes.
"""
