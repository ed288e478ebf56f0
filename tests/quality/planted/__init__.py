"""Bugs planted on purpose: flows as people write them, each with one mistake that only some orders show.

Each is a function without arguments that makes all its state anew, runs a flow, and raises where the bug
strikes. Run one task after the other, none of them strikes.
"""
