"""What a time step does to the rate of one neuron, by the order of the arrivals in it."""

import warnings

import numpy as np

from cbnet.errors import CbnetWarning

from . import shared
from .shared import hertz, milliseconds, respond

INPUT = (135.0, 85.0)  # Hz: the reference network at ν_X = 50 Hz


def compute(progress, options):
    """Rate of one neuron with a time step, by the order of arrivals, over the exact one.

    `options` are those of the simulations.
    """
    order, dt = ("random", "brian2"), (0.1, 0.05, 0.02)
    params = shared.base("conductance").replace(r_E=hertz(INPUT[0]), r_I=hertz(INPUT[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CbnetWarning)  # too long a step: that is the point
        runs = shared.simulate_all(
            [(params, {"arrivals": o, "dt": milliseconds(x)}) for o in order for x in dt],
            progress,
            **options,
        )
    right = float(respond((params, *INPUT, "shot"))["rate"])
    shape, dims = (len(order), len(dt)), ("arrivals", "dt")
    return {
        "arrivals": ("arrivals", list(order)),
        "dt": ("dt", dt, "ms", "time step"),
        "step_ratio": (
            dims,
            np.reshape([float(r.rate_E) / right for r in runs], shape),
            "1",
            "rate with a time step over the exact rate",
        ),
        "step_ratio_sem": (
            dims,
            np.reshape([float(r.rate_E_sem) / right for r in runs], shape),
            "1",
            "its standard error",
        ),
    }
