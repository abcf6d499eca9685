"""The leading mode of a state of a network of any populations, and its fluctuations."""

import dataclasses

import numpy as np

from ...errors import ConvergenceError, ParameterError, warn
from ...model.units import to_quantity
from ..neuron.white.first_passage import known
from .fluctuations import fano_factor
from .leading_mode import BIN, FINER, leading_mode
from .line import SILENT
from .of_network import feedback_of, neurons_of


@dataclasses.dataclass(frozen=True)
class ModesOfNetwork:
    """The leading mode of a state and its fluctuations, in SI."""

    growth_rate: float
    frequency: float
    stable: bool
    fano: np.ndarray
    highest: float
    error: float


def modes_of_network(net, rates):
    """Linearise a network about rates in Hz, shape (P,)."""
    neurons = neurons_of(net, "diffusion")
    fano = np.full(len(rates), np.nan)
    if not max(rates) > SILENT:
        return ModesOfNetwork(np.nan, np.nan, True, fano, np.nan, 0.0)
    rough = feedback_of(net, neurons, rates)
    fine = feedback_of(net, neurons, rates, **FINER)
    mode, highest, error = leading_mode(rough, fine)
    stable = mode.real < 0
    N, shares = sizes_of(net)
    if stable and N is not None:
        fano, inaccuracy = fano_factor(rough, fine, N, shares, BIN)
        error = max(error, inaccuracy)
        if np.any(fano < 0):  # the feedback explains more than there is
            fano, error = np.full(len(rates), np.nan), np.inf
    frequency = mode.imag / (2 * np.pi)
    return ModesOfNetwork(mode.real, frequency, bool(stable), fano, highest, float(known(error)))


def sizes_of(net):
    """Number of neurons and the populations' shares; None where sizes are not known."""
    sizes = [net.sizes[name] for name in net.names]
    if any(n is None for n in sizes):
        return None, np.full(len(sizes), 1 / len(sizes))
    sizes = np.array(sizes, float)
    return sizes.sum(), sizes / sizes.sum()


def with_modes(solution):
    """The same states with their leading modes, of the response to white noise."""
    count = len(solution.stable)
    growth, frequency = np.full(count, np.nan), np.full(count, np.nan)
    stable = np.array(solution.stable, bool)
    for k, rates in enumerate(solution.in_si("rate")):
        try:
            found = modes_of_network(solution.parameters, np.array(rates))
        except ConvergenceError as failure:
            warn(f"state {k + 1}: {failure}")
            continue
        stable[k] &= found.stable
        growth[k], frequency[k] = found.growth_rate, found.frequency
    return dataclasses.replace(
        solution,
        stable=stable,
        growth_rate=to_quantity(growth, "1/s"),
        frequency=to_quantity(frequency, "Hz"),
    )


def choose(solution, fixed_point):
    """Which state is meant, of a solution with several."""
    count = len(solution.stable)
    if not count:
        raise ConvergenceError("stability: got no self-consistent state; cbnet.solve says why")
    if fixed_point is None:
        settled = np.flatnonzero(solution.stable)
        if not settled.size:
            raise ParameterError(
                f"fixed_point: got none, and none of the {count} states is statically stable; give "
                f"one, from 0 to {count - 1}"
            )
        return int(settled[-1])
    whole = isinstance(fixed_point, int | np.integer) and not isinstance(fixed_point, bool)
    if not (whole and -count <= fixed_point < count):
        raise ParameterError(
            f"fixed_point: got {fixed_point!r}; expected a whole number from 0 to {count - 1}"
        )
    return int(fixed_point) % count
