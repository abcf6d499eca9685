"""Simulation: Brian2 networks, and one neuron exactly.

Importing this package makes its results known to :func:`cbnet.results.load`; it does not import
Brian2.
"""

from . import event_driven  # noqa: F401
