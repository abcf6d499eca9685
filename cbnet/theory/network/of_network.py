"""A network of any populations as the theory takes it: neurons, Φ, links."""

import numpy as np

from ...errors import ConvergenceError
from ...model.distributions import Uniform
from ...model.network import Network
from ..neuron.population_neuron import PopulationNeuron
from ..neuron.white.linear_response import LinearResponse
from .arrivals import Transfer
from .feedback import Feedback, Link
from .line import HIGHEST, SILENT

_STEP, _COSTLY_STEP = 1e-4, 0.03  # of ln R, for slopes of rates by their accuracy


def is_network(asked):
    """Whether it is a network of named populations, rather than Parameters of E and I."""
    return isinstance(asked, Network)


def neurons_of(net, noise):
    """One neuron of every population; identical populations share it.

    Parameters
    ----------
    net : Network
    noise : str or None
        A treatment of noise; of each population that which is right for it, if there is none.

    Returns
    -------
    list of PopulationNeuron
    """
    names, index = net.distinct
    own = [PopulationNeuron(net, name, noise) for name in names]
    return [own[k] for k in index]


def transfer_of(net, neurons):
    """Φ of all populations as a function of all rates: a Transfer.

    Parameters
    ----------
    net : Network
    neurons : list of PopulationNeuron
    """
    silent = np.zeros(len(net.names))
    column = {name: q for q, name in enumerate(net.names)}
    in_degrees = [np.zeros((len(n.classes), len(column))) for n in neurons]
    for row in net.arrivals(silent):
        if row.origin in column:
            p = column[row.target]
            k = neurons[p].classes.index((row.kind, row.w))
            in_degrees[p][k, column[row.origin]] += row.number
    external = []
    for name, neuron in zip(net.names, neurons, strict=True):
        total = net.total(name, silent)
        external.append(np.array([total.get(each, 0.0) for each in neuron.classes]))
    first = [neurons.index(neuron) for neuron in neurons]
    step = _COSTLY_STEP if any(n.method.costly for n in neurons) else _STEP
    return Transfer(in_degrees, external, [_rate(n) for n in neurons], first, step)


def method_of(neurons):
    """The treatment that limits what is known of a network: the least accurate."""
    return max((neuron.method for neuron in neurons), key=lambda method: method.rtol)


def highest_of(neurons):
    """Rates that no population exceeds, Hz."""
    return np.array([1 / n.tau_rp if n.tau_rp > 0 else HIGHEST for n in neurons])


def _rate(neuron):
    def rate(R, rtol):
        try:
            found = neuron.passage(R, rtol, cv=False)
        except ConvergenceError as failure:
            found = failure.best  # its error counts in the answer, if a state is near
        # what a formula approximates is not asked here: its own rates are exact
        error = np.zeros(found.rate.shape) if neuron.method.formula else found.error
        return found.rate, error

    return rate


def links_of(net, neurons):
    """Links of a network between its populations, a list of Link."""
    column = {name: q for q, name in enumerate(net.names)}
    found = []
    for row in net.arrivals(np.zeros(len(column))):
        if row.origin not in column:
            continue
        p = column[row.target]
        k = neurons[p].classes.index((row.kind, row.w))
        delay = row.delay if hasattr(row.delay, "laplace") else Uniform(row.delay, row.delay)
        tau = neurons[p].taus[k]
        found.append(Link(p, column[row.origin], k, row.number, delay, tau))
    return found


def feedback_of(net, neurons, rates, order=10, finer=1.0):
    """A network linearised about a state, with the response of its neurons to white noise.

    Parameters
    ----------
    net : Network
    neurons : list of PopulationNeuron
        Populations with the same one respond alike.
    rates : ndarray, shape (P,)
        In Hz.
    order, finer
        As for LinearResponse.

    Returns
    -------
    Feedback
    """
    phi, responses = transfer_of(net, neurons), []
    for p, (neuron, nu) in enumerate(zip(neurons, rates, strict=True)):
        first = phi.representative[p]
        if nu <= SILENT:
            responses.append(None)
        elif first < p:
            responses.append(responses[first])
        else:
            R = phi.arrivals(p, rates[None])[0]
            responses.append(response_to_arrivals(neuron, R, order, finer))
    return Feedback(rates, responses, links_of(net, neurons))


def response_to_arrivals(neuron, R, order, finer):
    """The response of one neuron to each class of its arrivals, at arrival rates R (1/s)."""
    R = np.asarray(R, float)[None]
    return LinearResponse(
        neuron.drift(R),
        neuron.squared_noise(R),
        [(each.drift, _squared(each.h)) for each in neuron.membrane.classes],
        neuron.threshold,
        neuron.reset,
        neuron.tau_rp,
        order=order,
        finer=finer,
    )


def _squared(h):
    return lambda v: h(v) ** 2
