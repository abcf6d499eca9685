"""Rates over the neurons of a network of any populations whose in-degrees differ."""

import dataclasses

import numpy as np

from .. import results
from ..errors import ConvergenceError
from ..model.units import to_quantity
from ..results.by_population import ByPopulation
from .network.of_network import method_of, neurons_of, transfer_of
from .network.rate_statistics import KEPT, SILENT
from .network.unequal_in_degrees import Spread, UnequalNetwork
from .network_states import solve_network
from .neuron import treatments
from .neuron.white.first_passage import inaccurate

RTOL = 1e-3


def _each(unit, key, meaning):
    return results.variable(unit, ("population",), key, meaning)


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NetworkRateDistribution(ByPopulation, results.Result):
    """Rates of the neurons of P populations with unequal in-degrees; ``found["PV"]`` is one.

    Attributes
    ----------
    populations : tuple of str
        Names, in the order of the first dimension.
    rate_mean, rate_sd : Quantity, shape (P,)
        Over neurons.
    rate_cv : ndarray, shape (P,)
        Their ratio; NaN for a silent population.
    fraction_silent : ndarray, shape (P,)
        Neurons below 0.01 Hz.
    rate_equal : Quantity, shape (P,)
        Of the state with equal in-degrees from which this one was continued.
    probabilities : ndarray, shape (Q,)
    quantiles : Quantity, shape (P, Q)
        Rates below which these shares of the neurons are.
    noise : str
        How fluctuations were treated.
    error : float
        Largest estimated error of a mean or a standard deviation, relative to the mean.
    """

    populations: tuple = results.variable(None, ("population",), "populations", "names")
    rate_mean: object = _each("Hz", "rate_mean_Hz", "mean rate over neurons")
    rate_sd: object = _each("Hz", "rate_sd_Hz", "standard deviation of rates over neurons")
    rate_cv: object = _each(None, "rate_cv", "coefficient of variation of rates over neurons")
    fraction_silent: object = _each(None, "fraction_silent", "neurons below 0.01 Hz")
    rate_equal: object = _each("Hz", "rate_equal_Hz", "rate with equal in-degrees")
    probabilities: object = results.variable(
        "1", ("probability",), None, "of a rate below the quantile"
    )
    quantiles: object = results.variable(
        "Hz", ("population", "probability"), None, "quantiles of the rates"
    )
    noise: str = results.variable(None, (), "noise", "how fluctuations were treated")
    error: float = results.variable("1", (), "error", "estimated relative error of mean and sd")


def heterogeneity_of_network(net, *, noise=None, rtol=None):
    """As :func:`cbnet.heterogeneity`, by the wirings of a network.

    Parameters
    ----------
    net : Network
        Whose wirings say how in-degrees differ; those of different projections are independent.
    noise : str, optional
        As for :func:`cbnet.solve`.
    rtol : float, optional
        Accuracy of means and standard deviations, relative to the mean.

    Returns
    -------
    NetworkRateDistribution
        Continued from the stable state of the highest summed rate.

    Raises
    ------
    ParameterError
        For a network that the theory does not take.
    ConvergenceError
        If no state is found, or the accuracy is not reached; ``best`` is the answer or None.

    Notes
    -----
    The rates of arrivals of a neuron are Gaussian over neurons and cut at zero, of the variances
    that unequal in-degrees and partners of unequal rates make. That is
    :func:`cbnet.heterogeneity` of E and I but for the share CV_K² of the spread: there the spread
    of what partners do follows the in-degree of each neuron. `error` does not count it.
    """
    solution = solve_network(net, noise=noise)
    rates = np.asarray(solution.in_si("rate"))[np.asarray(solution.stable, bool)]
    if not len(rates):
        raise ConvergenceError("heterogeneity: got no stable state of equal in-degrees", best=None)
    equal = rates[np.argmax(rates.sum(1))]
    neurons = neurons_of(net, noise)
    method = method_of(neurons)
    rtol = max(RTOL, method.rtol) if rtol is None else treatments.accuracy(method, rtol)
    transfer = transfer_of(net, neurons)
    network = UnequalNetwork(transfer, spread_of(net, neurons), rtol)
    found = network.find(equal)
    if found is None:
        raise ConvergenceError("heterogeneity: got no state with these in-degrees", best=None)
    mean, sd = np.reshape(found, (2, -1))
    errors = network.errors(found).reshape(2, -1)
    rates, _ = network.rates(found)
    scale = np.maximum(mean, SILENT)
    with np.errstate(invalid="ignore", divide="ignore"):
        cv = np.where(mean > 0, sd / mean, np.nan)
    answer = NetworkRateDistribution(
        parameters=net,
        populations=tuple(net.names),
        rate_mean=to_quantity(mean, "Hz"),
        rate_sd=to_quantity(sd, "Hz"),
        rate_cv=cv,
        fraction_silent=(rates < SILENT).mean(1),
        rate_equal=to_quantity(equal, "Hz"),
        probabilities=KEPT,
        quantiles=to_quantity(np.quantile(rates, KEPT, axis=1).T, "Hz"),
        noise=solution.noise,
        error=float((errors / scale).max()),
    )
    if answer.error > 3 * rtol:
        raise ConvergenceError(inaccurate(rtol, answer.error, ""), best=answer)
    return answer


def spread_of(net, neurons):
    """The variances of a network's in-degrees: a Spread."""
    column = {name: q for q, name in enumerate(net.names)}
    in_degrees = [np.zeros((len(n.classes), len(column))) for n in neurons]
    external = [np.zeros(len(n.classes)) for n in neurons]
    for row in net.arrivals(np.zeros(len(column))):
        p = column[row.target]
        k = neurons[p].classes.index((row.kind, row.w))
        if row.origin in column:
            in_degrees[p][k, column[row.origin]] += row.spread**2
        else:
            external[p][k] += (row.spread * row.rate) ** 2
    sizes = [np.inf if net.sizes[n] is None else net.sizes[n] for n in net.names]
    return Spread(in_degrees, external, np.array(sizes, float))
