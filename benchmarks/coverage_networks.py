"""Checks of networks: fixed points beside roots of the independent response."""

import math
import warnings

from brian2 import Hz

import cbnet
from cbnet.errors import CbnetWarning, ConvergenceError

from . import white_quadrature
from .coverage_checks import Check
from .coverage_solvers import chain
from .random_neurons import draw

LARGEST = 1000  # in-degree: larger ones take the chain too long
RANGE = (1e-3, 500.0)  # Hz of the states looked at
STEP = 1e-3  # of a difference quotient in ln ν


def fixed_points(seed, index):
    """States of a network of random neurons, finite jumps and white noise in turn."""
    noise = ("shot", "diffusion")[index % 2]
    while True:
        neuron = draw(seed + 300, index)
        if neuron.K <= LARGEST and neuron.tau_rp > 0:
            found = _solved(neuron, noise)
            if found is not None:
                return found
        seed += 1000


def _solved(neuron, noise):
    params = neuron.params().replace(nu_X=neuron.r_E * Hz)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CbnetWarning)
        try:
            states = cbnet.solve(params, noise=noise)
        except ConvergenceError as failure:
            states = failure.best
    if states is None:
        return None
    rates = [float(rate) for rate in states.rate_E if RANGE[0] < float(rate) < RANGE[1]]
    if not rates:
        return None
    checks = []
    for rate in rates:
        root, sem = _root(neuron, noise, rate)
        about = f"{neuron!r}, nu_X = r_E"
        off = abs(rate / root - 1)
        checks.append(Check(f"solve, {noise}", "rate", off, float(states.error), sem, about))
    return checks


def _root(neuron, noise, rate):
    """Where the independent response reproduces itself, beside a rate, and its standard error."""

    def response(nu):
        inputs = neuron.replace(r_E=neuron.r_E + nu, r_I=nu)
        answer = chain().solve(inputs) if noise == "shot" else white_quadrature.solve(inputs)
        return math.log(answer.found["rate"]), answer.sem["rate"] / answer.found["rate"]

    (at, sem), (above, _) = response(rate), response(rate * (1 + STEP))
    slope = (above - at) / math.log1p(STEP) - 1
    x = math.log(rate) - (at - math.log(rate)) / slope
    return math.exp(x), sem / abs(slope)
