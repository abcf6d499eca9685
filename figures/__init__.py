"""Figures: each claim drawn, theory as lines and simulation as markers with error bars.

One module a figure, with ``compute(progress, **settings)`` that returns labelled data,
``draw(data)`` that needs nothing else, ``CAPTION``, and ``SETTINGS`` by mode.
"""

import importlib

NAMES = (
    "strong_coupling",
    "scaling",
    "network_response",
    "drift_diffusion",
    "heterogeneity",
    "synaptic_time_constants",
    "network_time_constants",
    "predictions",
    "approximations",
    "stability",
)
MODES = ("quick", "full")


def module(name):
    """The module of a figure."""
    return importlib.import_module(f"{__name__}.{name}")
