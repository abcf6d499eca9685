"""Checks of one neuron's rate, CV, mean and sd of v: each solver, each formula."""

import functools
import math

from . import filtered_paths, white_quadrature
from .coverage_checks import Check, compared, respond
from .jump_chain import Chain
from .random_neurons import draw, draw_filtered

RARE = (6.5, 11.0)  # sds from the mean to the threshold
FASTEST = 2000.0  # Hz
FEWEST = 0.3  # Hz of a simulated neuron
ROUGH, LONGER = 0.01, 8  # error of a simulation from which on it is repeated, so many times as long
# log10 of the time constant of synapses over the membrane's own, and sds to the threshold, in
# which a formula's range lies
RANGES = {
    "fast": ((-2.5, -0.6), (-2.0, 1.7)),
    "adiabatic": ((0.0, 2.0), (-8.0, 0.0)),
    "rescaled": ((-1.5, 1.5), (-10.0, -3.0)),
    "rice": ((-1.0, 1.0), (0.4, 2.2)),
}
TRIES = 400  # at a neuron within a formula's range


@functools.cache
def chain():
    """One program a process."""
    return Chain()


def shot(seed, index):
    """Finite jumps beside the chain."""
    neuron = draw(seed, index)
    return compared("shot", respond(neuron, noise="shot"), chain().solve(neuron), neuron)


def rare(seed, index):
    """The same where spikes are rare: rates down to 1e-60 Hz."""
    neuron = draw(seed, index, RARE)
    response = respond(neuron, noise="shot")
    return compared("shot, rare spikes", response, chain().solve(neuron), neuron)


def white(seed, index):
    """White noise, white noise frozen at a potential, and the escape rate beside quadrature."""
    neuron = draw(seed, index)
    right = white_quadrature.solve(neuron)
    checks = compared("diffusion", respond(neuron, noise="diffusion"), right, neuron)
    frozen = respond(neuron, noise="effective")
    at = float(frozen.frozen_at) * 1e3
    if math.isfinite(at):
        checks += compared(
            "effective", frozen, white_quadrature.solve(neuron, frozen_at=at), neuron
        )
    kramers = respond(neuron, noise="kramers")
    return checks + compared("kramers", kramers, right, neuron, ["rate"])


def colored(seed, index):
    """Filtered synapses beside simulation."""
    return _filtered("colored", seed, index)


def few(seed, index):
    """The same where hardly an arrival falls within a time constant."""
    return _filtered("colored, few arrivals", seed, index, few=True, most=5.0)


def _filtered(solver, seed, index, **drawn):
    while True:
        neuron = draw_filtered(seed, index, **drawn)
        right = filtered_paths.solve(neuron, seed=index)
        if FEWEST < right.found["rate"] < FASTEST:
            if right.sem["rate"] > ROUGH * right.found["rate"]:
                right = filtered_paths.solve(neuron, LONGER * filtered_paths.STEPS, seed=index)
            return compared(solver, respond(neuron), right, neuron)
        seed += 1000


def formula(name, seed, index):
    """A formula for filtered synapses, where it states an error, beside the solution for them."""
    for trial in range(TRIES):
        neuron = draw_filtered(seed + 1000 * trial, index, *RANGES[name], most=1e3)
        response = respond(neuron, noise=name)
        if not (math.isfinite(float(response.error)) and float(response.rate) > FEWEST):
            continue
        right = respond(neuron, noise="colored", rtol=1e-3)
        if float(right.error) < 1e-2 and 0.1 < float(right.rate) < FASTEST:
            off = abs(float(response.rate / right.rate) - 1)
            stated, about = float(response.error), repr(neuron)
            return [Check(name, "rate", off, stated, float(right.error) / 3, about)]
    return []
