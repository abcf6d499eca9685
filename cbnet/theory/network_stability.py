"""Modes and fluctuations of the states of a network of any populations."""

import dataclasses
import functools
import warnings

import numpy as np

from .. import results
from ..errors import CbnetWarning, ParameterError
from ..model.units import to_quantity
from .network.fluctuations import spectrum
from .network.line import SILENT
from .network.modes_of_network import choose, modes_of_network, sizes_of
from .network.of_network import feedback_of, neurons_of
from .network_states import solve_network
from .neuron.white.first_passage import known


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NetworkStability(results.Result):
    """How a self-consistent state of a network of P populations answers to small disturbances.

    Attributes
    ----------
    populations : tuple of str
        Names, in the order of the last dimension.
    growth_rate : Quantity
        Of the mode that decays slowest or grows fastest, 1/s; NaN for a silent network.
    frequency : Quantity
        At which that mode oscillates; zero for one that does not.
    stable : bool
        Whether every mode decays, oscillations included.
    fano : ndarray, shape (P,)
        Variance over mean of the spike count of a population in bins of 1 ms; NaN unless the state
        is stable, the population fires, and the network has sizes.
    fixed_point : int
        Which of the states of :func:`cbnet.solve`.
    rate : Quantity, shape (P,)
        Its rates.
    highest : Quantity
        Modes of higher frequency, overtones of the delay, count only if they grow.
    noise : str
        How fluctuations of the input were treated.
    error : float
        Estimated numerical error of the growth rate and angular frequency relative to the modulus
        of λ, and of the Fano factors relative to them. What white noise differs from finite jumps
        by is not in it.
    """

    populations: tuple = results.variable(None, ("population",), "populations", "names")
    growth_rate: object = results.variable("1/s", (), "growth_rate_per_s", "of the leading mode")
    frequency: object = results.variable("Hz", (), "frequency_Hz", "of the leading mode")
    stable: bool = results.variable(None, (), "stable", "whether every mode decays")
    fano: object = results.variable("1", ("population",), "fano_1ms", "of the count in 1 ms")
    fixed_point: int = results.variable(None, (), "fixed_point", "which of the states of solve")
    rate: object = results.variable("Hz", ("population",), "rate_Hz", "rates of the populations")
    highest: object = results.variable("Hz", (), "highest_Hz", "highest frequency considered")
    noise: str = results.variable(None, (), "noise", "how fluctuations were treated")
    error: float = results.variable("1", (), "error", "estimated relative error")

    @functools.cached_property
    def _feedback(self):
        neurons = neurons_of(self.parameters, "diffusion")
        return feedback_of(self.parameters, neurons, np.array(self.in_si("rate")))

    def spectrum(self, f, population):
        """Power spectrum of a population's spike train, per neuron; Hz, two-sided.

        Parameters
        ----------
        f : Quantity
            Frequencies of at least 0 Hz, of any shape.
        population : str

        Returns
        -------
        Quantity

        Raises
        ------
        ParameterError
            If the state is not stable or the population is silent: there is no stationary spectrum.
        """
        names = tuple(self.populations)
        if population not in names:
            raise ParameterError(f"population: got {population!r}; expected one of {names}")
        if not self.stable:
            raise ParameterError(
                "spectrum: got an unstable state, which has no stationary fluctuations; expected "
                "growth_rate < 0"
            )
        k = names.index(population)
        if float(self.in_si("rate")[k]) < SILENT:
            raise ParameterError(f"spectrum: got a silent population {population}")
        hertz = np.asarray(f, float)
        N, shares = sizes_of(self.parameters)
        power = spectrum(self._feedback, hertz.ravel(), N, shares)[:, k]
        return to_quantity(power.reshape(hertz.shape), "Hz")


def stability_of_network(net, *, noise=None, fixed_point=None):
    """The leading mode of a state of a network, as :func:`cbnet.stability` gives it."""
    if noise not in (None, "diffusion"):
        raise ParameterError(
            f"noise: got {noise!r}; expected 'diffusion', the only one that stability knows"
        )
    with warnings.catch_warnings():
        # the answer's noise says that it is a limit, and there is no other
        warnings.filterwarnings("ignore", "noise: got 'diffusion'", CbnetWarning)
        solution = solve_network(net, noise="diffusion")
    index = choose(solution, fixed_point)
    rates = np.array(solution.in_si("rate")[index])
    found = modes_of_network(net, rates)
    return NetworkStability(
        parameters=net,
        populations=tuple(net.names),
        growth_rate=to_quantity(found.growth_rate, "1/s"),
        frequency=to_quantity(found.frequency, "Hz"),
        stable=found.stable,
        fano=found.fano,
        fixed_point=index,
        rate=to_quantity(rates, "Hz"),
        highest=to_quantity(found.highest, "Hz"),
        noise=solution.noise,
        error=float(known(max(solution.error, found.error))),
    )
