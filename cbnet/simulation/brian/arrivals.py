"""The arrivals of one time step, for neurons that Brian2 updates.

Applying all excitatory arrivals, then all inhibitory ones, and testing the threshold at the end
of the step is far off for these networks (tens of percent at dt = 0.1 ms): the two kinds of jump do
not commute, and crossings inside the step are missed. In random order both errors vanish, and what
is left is the leak, which acts between steps only.

The jumps are generated from the model's ``on_pre`` strings, so that this works for any model. Where
they are affine in v and so is the leak, :mod:`cbnet.simulation.brian.fused` does the same much
faster.
"""

import numpy as np
from brian2 import volt
from brian2.core.functions import Function

from ...model.reduction import V
from .. import cpp_text
from .kernel import HEADERS

_GOLDEN = 0x9E3779B97F4A7C15  # spreads neighbouring seeds over all 64 bits


def parameter_names(reduced):
    """Parameters that the jumps and the threshold need, in the order of the arguments."""
    expressions = [*reduced.jumps.values(), reduced.threshold]
    return sorted({s.name for e in expressions for s in e.free_symbols - {V}})


def after_arrivals(reduced, units, order="random"):
    """The Brian2 function ``after_arrivals(v, arrived_E, arrived_I, uniform, ...)``.

    Parameters
    ----------
    reduced : Diffusion
        Of the model.
    units : dict of str to Quantity
        Unit of each of :func:`parameter_names`, which are its further arguments.
    order : {"random", "brian2"}
        Of the arrivals: random, ending at the threshold, or all excitatory ones first.
    """
    names = list(units)
    interpreted = (vectorised if order == "random" else in_brian2_order)(reduced, names)
    function = Function(
        interpreted, arg_units=[volt, 1, 1, 1, *units.values()], return_unit=volt, stateless=True
    )
    function.implementations.add_implementation(
        "cpp",
        cpp(reduced, names, order),
        compiler_kwds={"headers": ['"arrivals.h"'], "include_dirs": [str(HEADERS)]},
    )
    function.implementations.add_numpy_implementation(interpreted, discard_units=True)
    return function


def cpp(reduced, names, order):
    """C++ of one neuron's arrivals in one step, for C++ standalone."""
    arguments = ["v", "arrived_E", "arrived_I", "uniform", *map(cpp_text.variable, names)]
    signature = ", ".join(f"double {name}" for name in arguments)
    excitatory, inhibitory = (cpp_text.text(reduced.jumps[population]) for population in "EI")
    return f"""
static inline double after_arrivals({signature})
{{
    const auto excitatory = [&](double v) {{ return {excitatory}; }};
    const auto inhibitory = [&](double v) {{ return {inhibitory}; }};
    return cbnet::arrivals_in_{order}_order(v, (int)arrived_E, (int)arrived_I,
        {cpp_text.text(reduced.threshold)}, uniform, excitatory, inhibitory);
}}
"""


def in_brian2_order(reduced, names):
    """All excitatory arrivals, then all inhibitory ones, for Brian2's numpy target."""

    def after_arrivals(v, arrived_E, arrived_I, uniform, *values):
        given = dict(zip(names, values, strict=True))
        v = np.array(v, float)
        for population, arrived in (("E", arrived_E), ("I", arrived_I)):
            jump = reduced.function(f"jump_{population}", given)
            left = np.array(np.broadcast_to(arrived, v.shape), int)
            while left.any():
                v = np.where(left > 0, v + jump(v), v)
                left -= left > 0
        return v

    return after_arrivals


def vectorised(reduced, names):
    """The same for arrays of neurons, for Brian2's numpy target."""

    def after_arrivals(v, arrived_E, arrived_I, uniform, *values):
        given = dict(zip(names, values, strict=True))
        jumps = [reduced.function(f"jump_{p}", given) for p in "EI"]
        threshold = reduced.constant("threshold", given)
        v = np.array(v, float)
        excitatory, inhibitory = (
            np.array(np.broadcast_to(n, v.shape), int) for n in (arrived_E, arrived_I)
        )
        state = (np.atleast_1d(uniform) * 2.0**53).astype(np.uint64) * np.uint64(
            _GOLDEN
        ) + np.uint64(1)
        moving = excitatory + inhibitory > 0
        while moving.any():
            for shift, left in ((13, True), (7, False), (17, True)):
                state ^= state << np.uint64(shift) if left else state >> np.uint64(shift)
            remaining = (excitatory + inhibitory).astype(np.uint64)
            drawn = ((state >> np.uint64(32)) * remaining) >> np.uint64(32)
            excites = drawn.astype(int) < excitatory
            v = np.where(moving, v + np.where(excites, jumps[0](v), jumps[1](v)), v)
            excitatory -= moving & excites
            inhibitory -= moving & ~excites
            moving &= (v <= threshold) & (excitatory + inhibitory > 0)
        return v

    return after_arrivals
