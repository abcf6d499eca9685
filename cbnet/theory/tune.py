"""Parameters of a network with which its populations fire at rates that are given."""

import dataclasses

import numpy as np

from .. import results
from ..errors import ConvergenceError, ParameterError
from ..model.units import to_quantity, unit
from ..support.threads import one_thread
from .network.of_network import method_of, neurons_of, transfer_of
from .network.tuning import NoValue, felt_by, value_for_rate, values_for_rates
from .neuron import treatments


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Tuned(results.Result):
    """A network that fires as it should.

    Attributes
    ----------
    parameters : Network
        With the values that were found.
    addresses : tuple of str
        What was changed.
    values : ndarray, shape (M,)
        Found, in SI units.
    populations : tuple of str
    rate : Quantity, shape (P,)
        Of the tuned network, in the state that was asked for.
    stable : bool
        Static stability of that state: det(1 − ∂Φ/∂ν) > 0.
    noise : str
        How fluctuations were treated.
    error : float
        Largest relative distance of a rate from what was asked for.
    """

    addresses: tuple = results.variable(None, ("address",), "addresses", "what was changed")
    values: object = results.variable("1", ("address",), "values_SI", "found, in SI units")
    populations: tuple = results.variable(None, ("population",), "populations", "names")
    rate: object = results.variable("Hz", ("population",), "rate_Hz", "rates of the populations")
    stable: bool = results.variable(None, (), "stable", "static stability")
    noise: str = results.variable(None, (), "noise", "how fluctuations were treated")
    error: float = results.variable("1", (), "error", "relative distance from what was asked for")

    @property
    def network(self):
        """The tuned network."""
        return self.parameters


@one_thread
def tune(net, target_rates, what, *, noise=None, rtol=None):
    """Rates of inputs, efficacies or other parameters with which populations fire as they should.

    Parameters
    ----------
    net : Network
    target_rates : dict of str to Quantity
        The rate of every population.
    what : sequence of str
        Addresses of the values to find, one for each population, as
        ``["background->E.rate", "background->PV.rate"]``; the values that they have are where the
        search starts, and they stay positive. At most 10⁴ times larger is tried.
    noise : str, optional
        As of :func:`cbnet.solve`.
    rtol : float, optional
        Relative accuracy of the rates.

    Returns
    -------
    Tuned

    Raises
    ------
    ParameterError
        For rates or addresses that cannot be used, and if there are no such values: which
        population cannot fire at its rate, and which rates it reaches.
    ConvergenceError
        If values that act on several populations together were not found.

    Notes
    -----
    At given rates ν* the arrivals are known, and every population asks Φ_p(ν*; x) = ν*_p for
    itself. Where each value is felt by one population, each is bracketed and found by itself; else
    they are found together by Newton's method. Other states of the network may exist beside the one
    that is tuned: see :func:`cbnet.solve`.
    """
    names = tuple(net.names)
    targets = _targets(names, target_rates)
    what = [what] if isinstance(what, str) else list(what)
    if len(what) != len(names):
        raise ParameterError(
            f"what: got {len(what)} addresses for {len(names)} populations; expected one for each"
        )
    method = method_of(neurons_of(net, noise))
    rtol = treatments.tolerances(method, rtol)[0]
    units, start = zip(*(net.value(address) for address in what), strict=True)
    start = np.array(start, float)
    if not np.all(start > 0):
        bad = what[int(np.argmin(start))]
        raise ParameterError(f"what: got {bad} = {start.min():g}; expected a positive value")

    def tuned(values):
        return net.replace(
            {a: to_quantity(float(x), u) for a, x, u in zip(what, values, units, strict=True)}
        )

    def rates(values, tol=rtol * 1e-2):
        changed = tuned(values)
        return transfer_of(changed, neurons_of(changed, noise))(targets[None], tol)[0][0]

    felt = felt_by(rates, start)
    for p, name in enumerate(names):
        if not felt[p].any():
            raise ParameterError(
                f"what: got {', '.join(what)}, none of which population {name} feels at its rate; "
                "name one that it does"
            )
    values = start.copy()
    if np.all(felt.sum(0) == 1) and np.all(felt.sum(1) == 1):
        for p, name in enumerate(names):
            k = int(np.argmax(felt[p]))
            values[k] = _one(rates, values, p, k, targets[p], (name, what[k], units[k]), rtol)
    else:
        values = values_for_rates(rates, targets, start, rtol)
        if values is None:
            raise ConvergenceError(
                f"tune: got no values of {', '.join(what)} that give these rates together; start "
                "nearer, or name values that one population feels each"
            )
    network = tuned(values)
    neurons = neurons_of(network, noise)
    phi = transfer_of(network, neurons)
    found, _, gain = phi.sensitivity(targets[None], rtol * 1e-2)
    return Tuned(
        parameters=network,
        addresses=tuple(what),
        values=values,
        populations=names,
        rate=to_quantity(found[0], "Hz"),
        stable=bool(np.linalg.det(np.eye(len(names)) - gain[0]) > 0),
        noise=method.name,
        error=float(np.abs(found[0] / targets - 1).max()),
    )


def _one(rates, values, p, k, target, words, rtol):
    """One value that one population feels."""
    name, address, unit_name = words

    def rate_of(x):
        changed = values.copy()
        changed[k] = x
        return rates(changed)[p]

    try:
        return value_for_rate(rate_of, target, values[k], rtol / 2)
    except NoValue as failure:
        raise ParameterError(
            f"target_rates: got {target:g} Hz for {name}, which no {address} gives: from 0 to "
            f"{values[k] * 1e4 / unit(unit_name)[0]:.3g} {unit_name} it fires at "
            f"{failure.low:.3g} to {failure.high:.3g} Hz"
        ) from None


def _targets(names, target_rates):
    missing = [name for name in names if name not in target_rates]
    other = [name for name in target_rates if name not in names]
    if missing or other:
        raise ParameterError(
            f"target_rates: got rates of {', '.join(target_rates)}; expected one of each of "
            f"{', '.join(names)}"
        )
    hertz = []
    for name in names:
        rate = target_rates[name]
        if tuple(getattr(getattr(rate, "dim", None), "_dims", ())) != unit("Hz")[1]:
            raise ParameterError(f"target_rates: got {rate} for {name}; expected a rate: 5*Hz")
        if not 0 < float(rate) < np.inf:
            raise ParameterError(f"target_rates: got {rate} for {name}; expected a positive rate")
        hertz.append(float(rate))
    return np.array(hertz)
