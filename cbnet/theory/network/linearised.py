"""The feedback of a network of E and I neurons about one of its states."""

import numpy as np

from ...model.distributions import Uniform
from ...model.parameters import POPULATIONS
from ..neuron.white import white_noise
from ..neuron.white.linear_response import LinearResponse
from .feedback import Feedback, Link
from .line import SILENT

# What one neuron does not feel: populations that differ in nothing else have one response.
_ELSEWHERE = {"D_min", "D_max", "law", "CV_K", "r_E", "r_I"}
_REFERENCE = 1e4  # 1/s: an arrival rate large enough to see its effect on drift and noise


def linearised(params, neurons, rates, *, respond=None, order=10, finer=1.0):
    """A network of E and I linearised about a state.

    Parameters
    ----------
    params : Parameters
    neurons : dict of str to Neuron
        Of both populations.
    rates : tuple of float
        Of E and I in Hz.
    respond : callable
        ``(neuron, r_E, r_I) -> callable`` of complex λ that gives an Answer; to white noise if not
        given.
    order, finer
        As for LinearResponse.

    Returns
    -------
    Feedback
    """
    alike = set(params.differing()) <= _ELSEWHERE and rates[0] == rates[1]
    responses, links = [], []
    for n, p in enumerate(POPULATIONS):
        neuron = neurons[p]
        values = neuron.values
        delay = Uniform(float(values["D_min"]), float(values["D_max"]))
        numbers = float(values["K"]), float(values["gamma"] * values["K"])
        links += [
            Link(n, m, m, numbers[m], delay, neuron.taus[kind])
            for m, kind in enumerate(POPULATIONS)
        ]
        if rates[n] <= SILENT:
            responses.append(None)
        elif n == 1 and alike:
            responses.append(responses[0])
        elif respond is None:
            responses.append(response_to_white_noise(neuron, rates, order, finer))
        else:
            responses.append(respond(neuron, values["nu_X"] + rates[0], rates[1]))
    return Feedback(rates, responses, links)


def response_to_white_noise(neuron, rates, order, finer):
    """The response of one population's neurons to either kind of arrivals."""
    inputs = np.array([neuron.values["nu_X"] + rates[0]]), np.array([float(rates[1])])
    fields = white_noise.select(neuron, *inputs)(slice(None))
    bound = neuron.bound(*inputs)
    modulations = []
    for p in POPULATIONS:
        # drift and noise are affine in the arrival rates
        high, low = ({**bound, f"R_{p}": x} for x in (_REFERENCE, 0.0))
        modulations.append(
            [
                _difference(*(neuron.reduced.function(name, x) for x in (high, low)))
                for name in ("A", "B2")
            ]
        )
    return LinearResponse(
        *fields,
        modulations,
        neuron.threshold,
        neuron.reset,
        neuron.tau_rp,
        order=order,
        finer=finer,
    )


def _difference(high, low):
    return lambda v: (high(v) - low(v)) / _REFERENCE
