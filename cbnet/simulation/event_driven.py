"""One neuron under Poisson input, simulated without a time step: the reference for everything else.

With instantaneous synapses the membrane follows its leak between two arrivals and jumps at each, so
the next arrival is an exponential waiting time at the total rate R_E + R_I, and v at the arrival is
known exactly. Nothing is approximated but by the number of spikes.
"""

from dataclasses import dataclass

import numpy as np

from .. import results
from ..errors import ParameterError
from ..model import unused
from ..model.entry import SEED
from ..model.parameters import POPULATIONS
from ..model.reduced import of_model
from ..model.units import to_quantity
from .step.flow import leak_flow

_FEWEST, _MOST = 100, 1000  # copies of the neuron
_SPIKES_EACH = 20  # so that few intervals are cut by the ends of the stretch a copy lives
_CHUNK = 64  # arrivals drawn at once: with 1000 copies the random numbers stay in the cache
_BURN_IN = 7  # relaxation times: what is left of the reset is below 1e-3
_LOOKS = 1e3  # Hz
_RARE = 0.05  # spikes within the memory of v: fewer, and intervals are nearly exponential
_FEWEST_INTERVALS, _INTERVALS_EACH = 20, 4  # for a CV: in all, and on average of a copy
_NO_SPIKE_BOUND = 3.0  # spikes: with none seen, a mean of 3 is excluded at 95 %


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NeuronSimulation(results.Result):
    """What one neuron did under Poisson input.

    Standard errors come from the spread over independent copies of the neuron. Of a neuron that
    never fired the standard error of the rate is 3/duration, its upper bound at 95 %.

    Attributes
    ----------
    rate, rate_sem : Quantity
        Firing rate and its standard error.
    cv, cv_sem : float
        Coefficient of variation of the interspike intervals; NaN with fewer than 20 of them.
    V_mean, V_mean_sem, V_sd, V_sd_sem : Quantity
        Time averages of the membrane potential, refractory time excluded.
    tau_eff, mu : Quantity
        −1/A'(μ) and the root μ of the drift A, in the sense of Itô; NaN where there is none.
    r_E, r_I : Quantity
        Rates of each of the K and γK inputs.
    spikes : int
        Spikes counted.
    duration : Quantity
        Simulated time, of all copies together, burn-in not counted.
    seed : int
        Of the random numbers.
    noise : str
        ``"exact"``.
    error : float
        Relative standard error of the rate; NaN for a neuron that never fired.
    """

    rate: object = results.variable("Hz", (), "rate_Hz", "firing rate")
    rate_sem: object = results.variable("Hz", (), "rate_Hz_sem", "standard error of the rate")
    cv: float = results.variable(None, (), "cv", "CV of interspike intervals")
    cv_sem: float = results.variable(None, (), "cv_sem", "standard error of the CV")
    V_mean: object = results.variable("mV", (), "V_mean_mV", "mean membrane potential")
    V_mean_sem: object = results.variable("mV", (), "V_mean_mV_sem", "its standard error")
    V_sd: object = results.variable("mV", (), "V_sd_mV", "sd of the membrane potential")
    V_sd_sem: object = results.variable("mV", (), "V_sd_mV_sem", "its standard error")
    tau_eff: object = results.variable("ms", (), "tau_eff_ms", "effective time constant")
    mu: object = results.variable("mV", (), "mu_mV", "potential at which the drift vanishes")
    r_E: object = results.variable("Hz", (), "r_E_Hz", "rate of each excitatory input")
    r_I: object = results.variable("Hz", (), "r_I_Hz", "rate of each inhibitory input")
    spikes: int = results.variable(None, (), "spikes", "spikes counted")
    duration: object = results.variable("s", (), "duration_s", "simulated time of all copies")
    seed: int = results.variable(None, (), "seed", "seed of the random numbers")
    noise: str = results.variable(None, (), "noise", "how the input was treated")
    error: float = results.variable(None, (), "error", "relative standard error of the rate")


def arrival_rates(params, r_E, r_I, population):
    """Resolved values of a population with the total rates ``R_E``, ``R_I``; r_E, r_I if given."""
    if population not in POPULATIONS:
        raise ParameterError(f"population: got {population!r}; expected 'E' or 'I'")
    values = params.resolve(population)
    for name, given in (("r_E", r_E), ("r_I", r_I)):
        if given is not None:
            values[name] = params.model.entry(name, name).parse(given, name)
    values["R_E"] = values["K"] * values["r_E"]
    values["R_I"] = values["gamma"] * values["K"] * values["r_I"]
    return values


def simulate_neuron(
    params, r_E=None, r_I=None, *, population="E", duration=None, seed=0, neurons=None
):
    """Simulate one neuron under Poisson input exactly, without a time step.

    Parameters
    ----------
    params : Parameters
        With instantaneous synapses.
    r_E, r_I : Quantity, optional
        Rates of each of the K excitatory and γK inhibitory inputs; those of `params` by default.
    population : {"E", "I"}
        Whose parameters to use.
    duration : Quantity, optional
        Time to simulate, of all copies together. By default 60 million arrivals' worth, about
        three seconds of computing, but at most 2000 s.
    seed : int
        Of the random numbers, at least 0.
    neurons : int, optional
        Number of independent copies; by default between 100 and 1000, so that each fires about
        20 times or v forgets the reset between spikes.

    Returns
    -------
    NeuronSimulation

    Assumptions
    -----------
    Arrivals are Poisson and independent. The threshold is tested after every arrival and along the
    leak. A spike resets v, which is held for the refractory time; arrivals in that time are lost.

    Raises
    ------
    ParameterError
        If synapses have a time constant: v then depends on the paths of the synaptic variables
        between arrivals, which have no closed form, so that no simulation is exact.

    Notes
    -----
    v just before an arrival has the distribution of v at any time at which the neuron is not
    refractory, because the arrivals are Poisson; time averages are taken so. Intervals of length x
    that fit into a stretch of length T are seen with a chance proportional to T − x, and are
    weighted by 1/(T − x) in the CV. Where v forgets the reset long before the next spike, the
    copies are strung together instead.

    Examples
    --------
    >>> import cbnet
    >>> from brian2 import Hz, second
    >>> params = cbnet.load("conductance").replace(a=0.02, g=12)
    >>> neuron = cbnet.simulate_neuron(params, 5*Hz, 9*Hz, duration=20*second)
    >>> bool(abs(neuron.rate - 39.17*Hz) < 5*neuron.rate_sem)
    True
    """
    values = arrival_rates(params, r_E, r_I, population)
    diffusion = of_model(params.model, values)
    if diffusion.filtered:
        raise ParameterError(_why_not_exact(params.model, diffusion, values))
    seed = SEED.parse(seed, "seed")
    if neurons is not None and not (isinstance(neurons, int | np.integer) and neurons >= 2):
        raise ParameterError(f"neurons: got {neurons}; expected a whole number of at least 2")
    use = unused.of_neuron, population, "r_E", "r_I"
    left_out = unused.tell(params, "cbnet.simulate_neuron", *use)
    total = values["R_E"] + values["R_I"]
    if duration is None:
        wanted = min(6e7 / total, 2000.0) if total > 0 else 10.0
    else:
        wanted = params.model.entry("tau_L", "duration").parse(duration, "duration")
    mu, tau = (float(x) for x in diffusion.operating_point(values))
    copies = Copies(diffusion, values, np.random.default_rng(seed))
    copies.start(wanted, neurons, tau)
    copies.record(wanted)
    return NeuronSimulation(
        parameters=params,
        **_summary(copies),
        tau_eff=to_quantity(tau, "s"),
        mu=to_quantity(mu, "V"),
        r_E=to_quantity(values["r_E"], "Hz"),
        r_I=to_quantity(values["r_I"], "Hz"),
        seed=seed,
        noise="exact",
        unused=left_out,
    )


def _why_not_exact(model, diffusion, values):
    taus = diffusion.time_constants(values)
    kinds = diffusion.filtered_kinds
    names = list(dict.fromkeys(n for kind in kinds for n in diffusion.arguments[f"tau_{kind}"]))
    alias = [short for short, several in model.aliases.items() if list(several) == names]
    if alias and len({values[name] for name in names}) == 1:
        names = alias
    target = diffusion.targets[kinds[0]]
    return (
        f"{' and '.join(names) or target}: got {target!r}, which decays in "
        f"{taus[kinds[0]] * 1e3:g} ms; expected instantaneous synapses, because filtered ones "
        "leave v no closed form between arrivals; use cbnet.simulate with a small dt instead"
    )


class Copies:
    """Independent copies of the neuron, each on a clock of its own."""

    def __init__(self, diffusion, values, rng):
        self.rng = rng
        self.threshold = float(diffusion.constant("threshold", values))
        self.reset = float(diffusion.constant("reset", values))
        self.tau_rp = values["tau_rp"]
        self.total = values["R_E"] + values["R_I"]
        self.jump = _jump(diffusion, values)
        if self.total == 0:
            # Without input, look at v now and then: arrivals that move nothing.
            self.total, self.jump = _LOOKS, lambda v, inhibitory: v
        self.p_I = values["R_I"] / self.total
        f, slope = diffusion.function("leak", values), diffusion.function("dleak", values)
        if diffusion.affine_leak and f(self.threshold) <= 0 and slope(0.0) < 0:
            # The leak pulls down at threshold and cannot reach it: one exponential will do.
            self.flow, self.rest, self.slope = None, -float(f(0.0) / slope(0.0)), float(slope(0.0))
        else:
            self.flow = leak_flow(diffusion, values)

    def start(self, wanted, neurons, tau):
        """Forget the reset, spread the phases, and settle on a number of copies."""
        memory = _BURN_IN * (tau if np.isfinite(tau) else 0.02)
        n = int(np.clip(wanted / (2 * memory), _FEWEST, _MOST)) if neurons is None else neurons
        self._restart(np.full(n, self.reset))
        self._advance(int(np.ceil(max(memory, 0.1 * wanted / n) * self.total)))
        spikes, lived = self.spikes.sum(), self.clock.sum()
        free = lived - spikes * self.tau_rp
        rate = spikes / lived
        self.rare = np.isfinite(tau) and rate * (self.tau_rp + memory) < _RARE
        if neurons is None and not self.rare:
            n = int(np.clip(rate * wanted / _SPIKES_EACH, min(_FEWEST, n), n))
        self._restart(self.v[:n])
        if spikes > n:
            # Regular firing keeps its phase for long: let the copies start evenly spread over one
            # interval, counted in arrivals.
            one = int(np.ceil(free * self.total / spikes))
            for i in range(one):
                self._arrive(slice(n * i // one, None), *self._draw((1, n - n * i // one), 0))
            self._restart(self.v)

    def record(self, wanted):
        """Run until all copies together have lived for the wanted time."""
        per_arrival, part = 1 / self.total, 0.1
        while (left := wanted - self.clock.sum()) > 0:
            self._advance(int(np.ceil(part * left / per_arrival / self.v.size)))
            per_arrival, part = self.clock.sum() / (self.arrivals * self.v.size), 1.0

    def _restart(self, v):
        n = v.size
        self.v, self.clock = v.copy(), np.zeros(n)
        self.sum_v, self.sum_v2 = np.zeros(n), np.zeros(n)
        self.spikes, self.cut = np.zeros(n, int), np.zeros(n, int)
        self.arrivals, self.who, self.when = 0, [], []

    def _advance(self, arrivals):
        for done in range(0, arrivals, _CHUNK):
            waits, inhibitory = self._draw((min(_CHUNK, arrivals - done), self.v.size))
            for wait, kind in zip(waits, inhibitory, strict=True):
                self._arrive(slice(0, None), wait, kind)
        self.arrivals += arrivals

    def _draw(self, shape, row=slice(None)):
        waits = self.rng.standard_exponential(shape, dtype=np.float32)
        waits *= 1 / self.total
        return waits[row], (self.rng.random(shape, dtype=np.float32) < self.p_I)[row]

    def _arrive(self, some, wait, inhibitory):
        v, clock = self.v[some], self.clock[some]
        if self.flow is None:
            v -= self.rest
            v *= np.exp(self.slope * wait)
            v += self.rest
            clock += wait
            cut = None
        else:
            v[:], crossing = self.flow(v, wait)
            # What was left of the wait is drawn anew after the spike: it has no memory.
            clock += np.minimum(wait, crossing)
            cut = np.flatnonzero(np.isfinite(crossing))
        shifted = v - self.reset
        if cut is not None and cut.size:
            shifted[cut] = 0.0
            self.cut[some][cut] += 1
        self.sum_v[some] += shifted
        shifted *= shifted
        self.sum_v2[some] += shifted
        v[:] = self.jump(v, inhibitory)
        if cut is not None:
            v[cut] = np.inf
        fired = np.flatnonzero(v > self.threshold)
        if fired.size:
            self.who.append(fired + some.start)
            self.when.append(clock[fired])
            self.spikes[some][fired] += 1
            clock[fired] += self.tau_rp
            v[fired] = self.reset


def _jump(diffusion, values):
    """(v, whether inhibitory) -> v after the arrival."""
    h_E, h_I = (diffusion.function(f"jump_{k}", values) for k in "EI")
    if not diffusion.affine_jumps:
        return lambda v, inhibitory: v + np.where(inhibitory, h_I(v), h_E(v))
    offset = np.array([float(h(0.0)) for h in (h_E, h_I)])
    factor = np.array([1 + float(h(1.0) - h(0.0)) for h in (h_E, h_I)])

    def straight(v, inhibitory):
        kind = inhibitory.view(np.uint8)
        after = factor.take(kind)
        after *= v
        after += offset.take(kind)
        return after

    return straight


def _summary(copies):
    """Estimates and their standard errors, as fields of the result."""
    lived, spikes = copies.clock, copies.spikes
    duration, count = lived.sum(), int(spikes.sum())
    rate = count / duration
    rate_sem = _spread(spikes - rate * lived) / duration if count else _NO_SPIKE_BOUND / duration
    looks = copies.arrivals - copies.cut
    m1, m2 = copies.sum_v.sum() / looks.sum(), copies.sum_v2.sum() / looks.sum()
    sd = np.sqrt(max(m2 - m1 * m1, 0.0))
    off_mean = copies.sum_v - m1 * looks
    off_square = copies.sum_v2 - m2 * looks - 2 * m1 * off_mean
    cv, cv_sem = _cv(copies)
    volts = {
        "V_mean": copies.reset + m1,
        "V_mean_sem": _spread(off_mean) / looks.sum(),
        "V_sd": sd,
        "V_sd_sem": _spread(off_square) / looks.sum() / (2 * sd) if sd > 0 else 0.0,
    }
    return {
        "rate": to_quantity(rate, "Hz"),
        "rate_sem": to_quantity(rate_sem, "Hz"),
        "cv": cv,
        "cv_sem": cv_sem,
        **{name: to_quantity(value, "V") for name, value in volts.items()},
        "spikes": count,
        "duration": to_quantity(duration, "s"),
        "error": rate_sem / rate if count else np.nan,
    }


def _spread(deviations):
    """Standard error of a sum over copies, from the deviation of each from its expectation."""
    n = deviations.size
    return float(np.sqrt((deviations**2).sum() * n / (n - 1)))


def _cv(copies):
    if not copies.who:
        return np.nan, np.nan
    who, when = np.concatenate(copies.who), np.concatenate(copies.when)
    order = np.lexsort((when, who))
    who, when = who[order], when[order]
    n = copies.v.size
    if copies.rare:
        # v forgets long before it fires: one copy may go on where another one ended.
        x = np.diff(when + (np.cumsum(copies.clock) - copies.clock)[who])
        who, weight = who[1:], np.ones(x.size)
    else:
        x, same = np.diff(when), np.diff(who) == 0
        x, who = x[same], who[1:][same]
        room = copies.clock[who] - x  # where in its stretch the interval could have begun
        weight = 1 / np.maximum(room, 1e-3 * copies.clock[who])
        if x.size < n * _INTERVALS_EACH:
            return np.nan, np.nan
    if x.size < _FEWEST_INTERVALS:
        return np.nan, np.nan
    sums = np.stack([np.bincount(who, weight * x**k, minlength=n) for k in range(3)])
    one_less = sums.sum(axis=1, keepdims=True) - sums
    cv, cvs = (np.sqrt(s[2] * s[0] / s[1] ** 2 - 1) for s in (sums.sum(axis=1), one_less))
    return float(cv), float(np.sqrt((n - 1) / n * ((cvs - cvs.mean()) ** 2).sum()))
