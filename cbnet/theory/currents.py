"""Excitatory, inhibitory and net current of one neuron, and what makes it fire: drift or noise."""

import dataclasses

import numpy as np

from .. import results
from ..errors import ParameterError
from ..model import unused
from ..model.parameters import POPULATIONS
from ..model.units import to_quantity, unit
from ..support.threads import one_thread
from .network.bins import moments
from .neuron.neuron import Neuron
from .neuron.white import first_passage, white_noise
from .neuron.white.first_passage import known, narrowed, with_layers
from .neuron.white.panels import place
from .response import rates_in_hertz

_BIN = 1e-3  # s
_CELLS = 3  # of a panel; further answers use twice as many
_RTOL = 1e-3
_DOUBLINGS = 4
_REACH = 30.0  # what lies further up the lower wall than e^-30 weighs nothing


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Currents(results.Result):
    """What reaches the membrane of one neuron under Poisson input, and what makes it fire.

    Attributes
    ----------
    current_mean, current_sd : Quantity, shape (3,)
        Mean and standard deviation of the excitatory, inhibitory and net input in bins of 1 ms
        without spike and refractory time, as displacement of v a millisecond: the quantities that
        a simulation reports under the same names. NaN where no neuron stays silent for so long.
    leak_mean : Quantity
        Mean of the leak f(v), refractory time excluded.
    rate : Quantity
        Firing rate.
    drift_rate, diffusion_rate : Quantity
        The parts of the rate that drift and diffusion carry; their sum is `rate`. With the density
        p of v per unit of all time, refractory included, the probability flux from reset to
        threshold is ν = A p − (B² p)'/2 at every v between; averaged over v from V_r to θ the first
        term is `drift_rate`, the second `diffusion_rate`, which is B²(V_r) p(V_r)/2(θ − V_r).
        The drift part is ν where the mean drives the neuron, and may be negative where noise does.
    error : float
        Estimated relative error of the standard deviations and means.
    noise : str
        How fluctuations were treated.
    r_E, r_I : Quantity
        Rates of each of the K and γK inputs.
    population : str
        Whose parameters were used.
    """

    current_mean: object = results.variable(
        "mV/ms", ("current",), "current_mean_mV_per_ms", "mean of E, I and net input"
    )
    current_sd: object = results.variable(
        "mV/ms", ("current",), "current_sd_mV_per_ms", "sd of E, I and net input"
    )
    leak_mean: object = results.variable("mV/ms", (), "leak_mean_mV_per_ms", "mean of the leak")
    rate: object = results.variable("Hz", (), "rate_Hz", "firing rate")
    drift_rate: object = results.variable("Hz", (), "drift_rate_Hz", "carried by drift")
    diffusion_rate: object = results.variable("Hz", (), "diffusion_rate_Hz", "carried by noise")
    error: float = results.variable("1", (), "error", "estimated relative error")
    noise: str = results.variable(None, (), "noise", "how fluctuations were treated")
    r_E: object = results.variable("Hz", (), None, "rate of each excitatory input")
    r_I: object = results.variable("Hz", (), None, "rate of each inhibitory input")
    population: str = results.variable(None, (), None, "population whose parameters were used")

    @one_thread
    def flux(self, v):
        """Drift and diffusion part of the probability flux at v.

        Parameters
        ----------
        v : Quantity
            Where, of any shape.

        Returns
        -------
        drift, diffusion : Quantity
            A p and −(B² p)'/2 in Hz; their sum is the rate between reset and threshold, zero
            elsewhere.
        """
        if tuple(getattr(getattr(v, "dim", None), "_dims", ())) != unit("V")[1]:
            raise ParameterError(f"v: got {v}; expected potentials, as in -60*mV")
        volts = np.asarray(v, float)
        neuron, fields = _neuron(self.parameters, self.population, float(self.r_E), float(self.r_I))
        active = 1 - float(self.rate) * neuron.tau_rp
        p = first_passage.density(*fields, neuron.threshold, neuron.reset, volts) * active
        drift = fields[0](volts.reshape(1, -1)).reshape(volts.shape) * p
        between = (volts >= neuron.reset) & (volts <= neuron.threshold)
        total = np.where(between, float(self.rate), 0.0)
        return to_quantity(drift, "Hz"), to_quantity(total - drift, "Hz")


@one_thread
def currents(params, r_E=None, r_I=None, *, population="E", noise=None):
    """Mean and fluctuation of the currents of one neuron; drift and diffusion in its firing.

    Parameters
    ----------
    params : Parameters
        Of the neuron and its synapses.
    r_E, r_I : Quantity, optional
        Rates of each of its K excitatory and γK inhibitory inputs; those of `params` if not given.
        In a network r_E = ν_X + ν and r_I = ν.
    population : {"E", "I"}
        Whose parameters to use.
    noise : {"diffusion"}, optional
        How fluctuations are treated: as white noise.

    Returns
    -------
    Currents

    Raises
    ------
    ParameterError
        For inputs that cannot be used.
    ModelError
        If the strings do not reduce to one dimension.

    Notes
    -----
    Assumes independent Poisson inputs and the diffusion approximation; for filtered synapses the
    density of v is that of vanishing time constants, and `current_sd` that of the filtered arrivals
    with v as it is on average: correlations of v with them are left out. Otherwise v moves within a
    bin, is correlated with the input, and bins with a spike are left out, as in a simulation
    (:mod:`cbnet.theory.network.bins`).

    The drift is Itô's: jumps at the potential before the arrival. The parts of the rate are those
    of the flux in the stationary Fokker-Planck equation (H. Risken, *The Fokker-Planck Equation*,
    Ch. 5); that drift and diffusion balance in networks of conductance synapses is the subject of
    A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044 (2022).

    Examples
    --------
    >>> import cbnet
    >>> found = cbnet.currents(cbnet.load("conductance"), r_E="74Hz", r_I="44Hz")
    >>> [round(float(x), 2) for x in found.current_mean]
    [6.59, -5.23, 1.36]
    """
    if population not in POPULATIONS:
        raise ParameterError(f"population: got {population!r}; expected 'E' or 'I'")
    if noise not in (None, "diffusion"):
        raise ParameterError(
            f"noise: got {noise!r}; expected 'diffusion', the only one that currents knows"
        )
    left_out = unused.tell(params, "cbnet.currents", unused.of_neuron, population, "r_E", "r_I")
    values = params.resolve(population)
    inputs = [
        float(values[name]) if value is None else rates_in_hertz(params, value, name)
        for name, value in (("r_E", r_E), ("r_I", r_I))
    ]
    if any(np.ndim(x) for x in inputs):
        raise ParameterError(
            f"r_E: got shapes {np.shape(inputs[0])} and {np.shape(inputs[1])} of r_E and r_I; "
            "expected one rate each; call currents() for each pair"
        )
    rates = [float(x) for x in inputs]
    neuron, fields = _neuron(params, population, *rates)
    passage = neuron.passage(*(np.array([x]) for x in rates), moments=True)
    rate = float(passage.rate[0])
    edges = _edges(fields, neuron)
    bound = {name: x[0, 0] if np.ndim(x) else x for name, x in _bound(neuron, rates).items()}
    fine = _statistics(neuron, fields, edges, bound, _CELLS)
    for doubling in range(1, _DOUBLINGS + 1):
        coarse, fine = fine, _statistics(neuron, fields, edges, bound, _CELLS * 2**doubling)
        gaps = [
            np.abs(b - a) / np.maximum(np.abs(b), 1e-300)
            for a, b in zip(coarse[:2], fine[:2], strict=True)
        ]
        # the fitted scheme is of second order
        error = max(np.max(np.nan_to_num(gaps)) / 3, float(passage.error[0]))
        if error < _RTOL:
            break
    mean, sd, leak = ((4 * b - a) / 3 for a, b in zip(coarse, fine, strict=True))
    sd = np.maximum(sd, 0.0)
    # what v has no moment of, input that is proportional to it has not either
    sd = np.where(np.isnan(passage.v_sd), np.nan, sd)
    mean, leak = (np.where(np.isnan(passage.v_mean[0]), np.nan, x) for x in (mean, leak))
    reset = np.array([neuron.reset])
    at_reset = first_passage.density(*fields, neuron.threshold, neuron.reset, reset)[0]
    half = float(np.ravel(fields[1](reset[None]))[0]) / 2
    width = neuron.threshold - neuron.reset
    diffusion = half * at_reset * (1 - rate * neuron.tau_rp) / width
    return Currents(
        parameters=params,
        current_mean=to_quantity(mean, "mV/ms"),
        current_sd=to_quantity(sd, "mV/ms"),
        leak_mean=to_quantity(float(leak), "mV/ms"),
        rate=to_quantity(rate, "Hz"),
        drift_rate=to_quantity(rate - diffusion, "Hz"),
        diffusion_rate=to_quantity(diffusion, "Hz"),
        error=float(known(error)),
        noise="diffusion" + (" (limit tau_S -> 0)" if neuron.reduced.filtered else ""),
        r_E=to_quantity(rates[0], "Hz"),
        r_I=to_quantity(rates[1], "Hz"),
        population=population,
        unused=left_out,
    )


def _bound(neuron, rates):
    return neuron.bound(*(np.array([x]) for x in rates))


def _neuron(params, population, r_E, r_I):
    neuron = Neuron(params, population, "diffusion")
    return neuron, white_noise.select(neuron, np.array([r_E]), np.array([r_I]))(slice(None))


def _edges(fields, neuron):
    """Panels that follow the density of v, up to the threshold."""
    ends = np.array([neuron.threshold]), np.array([neuron.reset])

    def select(rows):
        return fields

    groups, silent = place(select, np.zeros(1, int), *ends, _REACH, 2.0, True)
    if groups:
        return with_layers(groups[0].edges[0], *fields, neuron.threshold, neuron.reset)
    groups, _ = narrowed(select, silent, _REACH, 2.0)
    if not groups:
        raise ParameterError(
            "currents: got a neuron at rest without input; its current is zero; give it input"
        )
    return groups[0].edges[0]


def _statistics(neuron, fields, edges, bound, cells):
    """Mean, sd of E, I and net input and the mean leak, on a grid of given fineness."""
    steps = np.linspace(0, 1, cells, endpoint=False)
    grid = (edges[:-1, None] + np.diff(edges)[:, None] * steps).ravel()
    grid = np.append(grid, edges[-1])
    arrivals = {p: bound[f"R_{p}"] for p in POPULATIONS}
    jumps = {p: neuron.reduced.function(f"jump_{p}", bound) for p in POPULATIONS}

    def of(*names):
        return (
            lambda v: sum(arrivals[p] * jumps[p](v) for p in names),
            lambda v: sum(arrivals[p] * jumps[p](v) ** 2 for p in names),
        )

    inputs = [of("E"), of("I"), of(*POPULATIONS)]

    def density(v):
        return first_passage.density(*fields, neuron.threshold, neuron.reset, v)

    v = (grid[1:] + grid[:-1]) / 2
    weight = density(v) * np.diff(grid)
    weight /= weight.sum()
    leak = weight @ neuron.reduced.function("leak", bound)(v)
    if neuron.reduced.filtered:
        mean = np.array([weight @ m(v) for m, _ in inputs])
        variance = []
        for p in POPULATIONS:
            x = _BIN / neuron.taus[p] if neuron.taus[p] > 0 else np.inf
            # of an exponentially filtered Poisson train in a bin
            kept = 1 + np.expm1(-x) / x
            variance.append(weight @ (arrivals[p] * jumps[p](v) ** 2) * kept / _BIN)
        return mean, np.sqrt([*variance, sum(variance)]), leak
    return *moments(grid, fields, density, inputs, _BIN), leak
