"""Networks with unequal in-degrees: the distribution of rates that reproduces itself."""

import dataclasses

import numpy as np

from .. import results
from ..errors import ConvergenceError, ParameterError
from ..parameters import POPULATIONS, to_quantity, unit
from . import _methods
from ._in_degrees import Sample
from ._neuron import Neuron
from ._rate_table import Table
from .self_consistency import solve

SILENT = 0.01  # Hz
SATURATED = 0.8  # of 1/τ_rp
RTOL = 1e-3
# Intervals of the table for white noise, of that of the ratio to it, log2 of the neurons in a set.
_LEVELS = (
    ((64, 16), (16, 4), 12),
    ((96, 24), (24, 6), 14),
    ((128, 32), (36, 8), 16),
)
_SETS = 8
_FEW = 10  # log2 of the neurons in a set, to look for a solution
_IRRELEVANT = {"D_min", "D_max", "r_E", "r_I"}
_STEP = 1e-3  # of a rate, for slopes
_ITERATIONS = 40
_SHORTEST = 1 / 64  # step of the continuation in the deviations of in-degrees
_NOTHING = 1e-9  # Hz
# Probabilities at which quantiles are kept: dense in the middle, with tails.
_TAIL = np.array([1e-4, 2e-4, 5e-4, 1e-3, 2e-3])
_LEVELS_KEPT = np.concatenate([_TAIL, np.linspace(0.005, 0.995, 199), 1 - _TAIL[::-1]])


def _both(unit, meaning):
    return results.variable(unit, ("population",), None, meaning)


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class RateDistribution(results.Result):
    """Rates of the neurons of a network with unequal in-degrees; pairs are of E and of I neurons.

    Attributes
    ----------
    rate_mean, rate_sd : Quantity, shape (2,)
        Over neurons.
    rate_cv, rate_skew : ndarray, shape (2,)
        Coefficient of variation and skewness of the rates; NaN where all are equal.
    fraction_silent, fraction_saturated : ndarray, shape (2,)
        Neurons below 0.01 Hz, and above 0.8/τ_rp.
    log_mean, log_sd, log_skew : ndarray, shape (2,)
        Mean, standard deviation and skewness of ln(ν/Hz), silent neurons left out.
    lognormal_distance : ndarray, shape (2,)
        Kolmogorov's: the largest difference between the distribution of ln ν, silent neurons left
        out, and the normal distribution of the same mean and sd. Zero for a log-normal law.
    rate_equal : Quantity, shape (2,)
        Rates of the network with equal in-degrees from which this state was continued.
    stable : bool
        Static stability, of means and standard deviations of rates together.
    in_degree_cv : ndarray, shape (2,)
        Coefficient of variation of the excitatory recurrent in-degrees.
    correlation : float
        Between any two in-degrees of a neuron.
    noise : str
        How fluctuations were treated.
    error : float
        Estimated error of means and standard deviations, relative to the mean.
    fraction_error : float
        Estimated error of the two fractions.
    probabilities : ndarray, shape (P,)
        For `quantiles`.
    quantiles : Quantity, shape (2, P)
        Rates below which these shares of the neurons are.
    """

    rate_mean: object = _both("Hz", "mean rate of E and I neurons")
    rate_sd: object = _both("Hz", "standard deviation of rates over neurons")
    rate_cv: object = _both("1", "coefficient of variation of rates over neurons")
    rate_skew: object = _both("1", "skewness of rates over neurons")
    fraction_silent: object = _both("1", "neurons below 0.01 Hz")
    fraction_saturated: object = _both("1", "neurons above 0.8/tau_rp")
    log_mean: object = _both("1", "mean of ln(rate/Hz), without silent neurons")
    log_sd: object = _both("1", "its standard deviation")
    log_skew: object = _both("1", "its skewness")
    lognormal_distance: object = _both("1", "largest distance to the log-normal distribution")
    rate_equal: object = _both("Hz", "rate with equal in-degrees")
    stable: bool = results.variable(None, (), None, "static stability")
    in_degree_cv: object = _both("1", "coefficient of variation of in-degrees")
    correlation: float = results.variable("1", (), None, "between in-degrees of a neuron")
    noise: str = results.variable(None, (), None, "how fluctuations were treated")
    error: float = results.variable("1", (), None, "estimated relative error of mean and sd")
    fraction_error: float = results.variable("1", (), None, "estimated error of the fractions")
    probabilities: object = results.variable(
        "1", ("probability",), None, "of a rate below the quantile"
    )
    quantiles: object = results.variable(
        "Hz", ("population", "probability"), None, "quantiles of the rates"
    )

    def quantile(self, q, population="E"):
        """The rate below which a share `q` of the neurons is.

        Parameters
        ----------
        q : float or ndarray
            Between 0 and 1; what is beyond the first and the last of `probabilities` gets theirs.
        population : {"E", "I"}

        Returns
        -------
        Quantity
        """
        q = np.asarray(q, float)
        if not np.all((q >= 0) & (q <= 1)):
            raise ParameterError(f"q: got {q}; expected probabilities between 0 and 1")
        rates = self.in_si("quantiles")[_column(population)]
        logs = np.interp(q, self.probabilities, np.log(np.maximum(rates, 1e-300)))
        return to_quantity(np.exp(logs), "Hz")

    def density(self, nu, population="E"):
        """Density of the rates of neurons that are not silent.

        Parameters
        ----------
        nu : Quantity
            Rates, of any shape.
        population : {"E", "I"}

        Returns
        -------
        Quantity
            In 1/Hz; its integral from 0.01 Hz on is 1 − `fraction_silent`; zero below.
        """
        if tuple(getattr(getattr(nu, "dim", None), "_dims", ())) != unit("Hz")[1]:
            raise ParameterError(f"nu: got {nu}; expected rates, as in 5*Hz")
        from scipy.interpolate import PchipInterpolator

        k, nu = _column(population), np.asarray(nu, float)
        rates, p = self.in_si("quantiles")[k], self.probabilities
        silent = float(self.fraction_silent[k])
        awake = (rates > SILENT) & (p > silent)
        if not awake.any() or rates[-1] - rates[0] < 1e-9 * rates[-1]:
            raise ParameterError(
                "density: got neurons that all have the same rate; their density is a point: read "
                "rate_mean"
            )
        x, p = np.log(rates[awake]), p[awake]
        # the ends, beyond the first and the last quantile that are kept
        top = x[-1] + (1 - p[-1]) * (x[-1] - x[-2]) / max(p[-1] - p[-2], 1e-300)
        bottom = np.log(SILENT)
        if silent == 0.0:
            bottom = x[0] - p[0] * (x[1] - x[0]) / max(p[1] - p[0], 1e-300)
        x, p = np.concatenate([[bottom], x, [top]]), np.concatenate([[silent], p, [1.0]])
        kept = np.append(True, np.diff(x) > 0)
        slope = PchipInterpolator(x[kept], p[kept]).derivative()
        inside = (nu > np.exp(x[0])) & (nu < np.exp(x[-1]))
        at = np.where(inside, nu, np.exp(x[0]))
        found = np.where(inside, np.maximum(slope(np.log(at)), 0.0) / at, 0.0)
        return found / to_quantity(1.0, "Hz")


def _column(population):
    if population not in POPULATIONS:
        raise ParameterError(f"population: got {population!r}; expected 'E' or 'I'")
    return POPULATIONS.index(population)


def heterogeneity(
    params,
    *,
    CV_K=None,
    correlation=0.0,
    N=None,
    fraction_excitatory=0.8,
    state="high",
    noise=None,
    rtol=RTOL,
):
    """The distribution of rates over the neurons of a network with unequal in-degrees.

    Parameters
    ----------
    params : Parameters
        Of the network; the populations may differ in any parameter.
    CV_K : float, optional
        Coefficient of variation of Gaussian in-degrees. If not given, `law` and `CV_K` of `params`
        say what they are: equal, binomial or Gaussian.
    correlation : float
        Between any two of the in-degrees (excitatory, external, inhibitory) of a neuron: 0 if they
        are independent, 1 if one common factor multiplies all three.
    N : int, optional
        Neurons of the network, of which a share `fraction_excitatory` is excitatory. It narrows the
        binomial law and the spread of what partners do; without limit if not given.
    fraction_excitatory : float
        With `N` only.
    state : {"high", "low"}
        Which of the stable states with equal in-degrees to continue, if there are several.
    noise : str, optional
        How fluctuations are treated, as for :func:`cbnet.solve`.
    rtol : float
        Accuracy of means and standard deviations, relative to the mean.

    Returns
    -------
    RateDistribution

    Raises
    ------
    ParameterError
        For arguments that cannot be used.
    ConvergenceError
        If the accuracy is not reached, or no state is found; ``best`` is the RateDistribution, or
        None.

    Notes
    -----
    A neuron with in-degrees k_E, k_X, k_I gets R_E = k_E ⟨ν_E⟩ + k_X ν_X + √k_E SD(ν_E) z_E
    excitatory and R_I = k_I ⟨ν_I⟩ + √k_I SD(ν_I) z_I inhibitory arrivals a second, z standard
    normal: what its partners do differs from neuron to neuron. It fires at Φ(R_E, R_I), and the
    mean and standard deviation of that over the law of k and z are ⟨ν⟩ and SD(ν) again.

    Assumes that out-degrees do not depend on in-degrees (a presynaptic rate is that of any neuron),
    that in-degrees are large enough for the sum over partners to be Gaussian, and asynchronous and
    Poissonian spikes. Gaussian in-degrees are real numbers, clipped at 0. The spread of rates that
    arises by itself in a network with equal in-degrees and strong coupling is not looked for: there
    the answer is the state in which all rates are equal, and `stable` is False.

    References
    ----------
    C. van Vreeswijk and H. Sompolinsky, Neural Comput. 10, 1321 (1998), Sec. 7, and A. Roxin, N.
    Brunel, D. Hansel, G. Mongillo and C. van Vreeswijk, J. Neurosci. 31, 16217 (2011), for the
    self-consistent distribution; A. Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044
    (2022), for networks of conductance synapses.

    Examples
    --------
    >>> import cbnet
    >>> found = cbnet.heterogeneity(cbnet.load("conductance"), CV_K=0.1, noise="diffusion")
    >>> [round(float(rate), 1) for rate in found.rate_mean]
    [0.0, 0.0]
    """
    laws = _laws(params, CV_K)
    _check(correlation, fraction_excitatory, N, state)
    method = _methods.choose(noise, params)
    if not method.network:
        raise ParameterError(
            f"noise: got {method.name!r}, which has no rate above threshold; expected "
            f"{', '.join(m.name for m in _methods.METHODS.values() if m.network)} for a network"
        )
    rtol = _methods.accuracy(method, rtol)
    start = _equal(params, method, state)
    sizes = (np.inf, np.inf)
    if N is not None:
        sizes = (round(fraction_excitatory * N), N - round(fraction_excitatory * N))
    differing = set(params.differing()) - _IRRELEVANT
    if CV_K is not None:
        differing -= {"law", "CV_K"}
    alike = not differing
    network = _Network(params, method, laws, correlation, sizes, alike, rtol)
    unknowns, slope = network.find(start[:1] if alike else start)
    for level in range(len(_LEVELS)):
        network.refine(level)
        unknowns, slope = network.polish(unknowns, slope)
        summary = network.summary(unknowns, slope)
        if summary["error"] <= rtol:
            break
    best = RateDistribution(
        parameters=params,
        rate_equal=to_quantity(np.array(start), "Hz"),
        correlation=float(correlation),
        noise=_methods.describe(method, params),
        **summary,
    )
    if not best.error <= rtol:
        raise ConvergenceError(
            f"rtol: got {rtol:g}; the error of a mean or standard deviation of rates is estimated "
            f"at {best.error:.2g} of the mean; ask for less accuracy",
            best=best,
        )
    return best


def _laws(params, CV_K):
    """Law and coefficient of variation of the in-degrees of both populations."""
    if CV_K is not None:
        numeric = isinstance(CV_K, (int, float, np.number)) and not isinstance(CV_K, bool)
        if not (numeric and 0 <= CV_K < np.inf):
            raise ParameterError(f"CV_K: got {CV_K}; expected a finite number of at least 0")
        return [("gaussian" if CV_K > 0 else "fixed", float(CV_K))] * 2
    found = []
    for p in POPULATIONS:
        values = params.resolve(p)
        if values["law"] == "explicit":
            raise ParameterError("law: got 'explicit', in-degrees of a graph; give CV_K instead")
        found.append((values["law"], values["CV_K"]))
    return found


def _check(correlation, fraction_excitatory, N, state):
    if not 0 <= correlation <= 1:
        raise ParameterError(f"correlation: got {correlation}; expected a number from 0 to 1")
    if not 0 < fraction_excitatory < 1:
        raise ParameterError(
            f"fraction_excitatory: got {fraction_excitatory}; expected a number between 0 and 1"
        )
    if N is not None and not (isinstance(N, (int, np.integer)) and N >= 2):
        raise ParameterError(f"N: got {N}; expected a whole number of at least 2")
    if state not in ("high", "low"):
        raise ParameterError(f"state: got {state!r}; expected 'high' or 'low'")


def _equal(params, method, state):
    """Rates of the chosen stable state with equal in-degrees, in Hz."""
    try:
        found = solve(params, noise=method.name, rtol=max(method.scan_rtol, 1e-6))
    except ConvergenceError as failure:
        found = failure.best
    stable = np.flatnonzero(found.stable)
    if not stable.size:
        stable = np.arange(len(found.stable))
    k = stable[-1 if state == "high" else 0]
    return float(found.in_si("rate_E")[k]), float(found.in_si("rate_I")[k])


class _Population:
    """Neurons of one population, with a table of their rates that follows their input."""

    def __init__(self, params, population, method, rtol):
        self.neuron = Neuron(params, population, method.name)
        self.white = Neuron(params, population, "diffusion")
        self.nu_X = self.neuron.values["nu_X"]
        self.rtol = rtol / 4 if method.costly else min(rtol * 1e-2, 1e-6)
        self.sample = self.table = self.grid = None

    def rates(self, rates, spreads, share=1.0, coarser=False):
        """Of every neuron that is drawn, in Hz; from a coarser table too if asked for."""
        inputs = self.sample.arrivals(self.nu_X, rates, spreads, share)
        if self.table is None or not self.table.holds(*inputs):
            self.table = Table(self.neuron, self.white, *inputs, *self.grid, self.rtol)
        found = self.table.rates(*inputs)
        return (found, self.table.coarser(*inputs)) if coarser else found


class _Network:
    """Populations and the equations for the mean and spread of their rates."""

    def __init__(self, params, method, laws, correlation, sizes, alike, rtol):
        self.names = POPULATIONS[:1] if alike else POPULATIONS
        self.populations = [_Population(params, p, method, rtol) for p in self.names]
        self.laws, self.correlation, self.sizes, self.rtol = laws, correlation, sizes, rtol
        self._draw(_FEW, _LEVELS[0][:2])

    def _draw(self, log2_points, grid):
        for one, law in zip(self.populations, self.laws, strict=False):
            if one.grid != grid:
                one.grid, one.table = grid, None
            one.sample = Sample(
                one.neuron.values, *law, self.correlation, self.sizes, log2_points, _SETS
            )

    def refine(self, level):
        """A finer table and more neurons."""
        self._draw(_LEVELS[level][2], _LEVELS[level][:2])

    def _split(self, unknowns):
        """Means and spreads of E and I from the unknowns (mean, spread) of those that differ."""
        pairs = np.reshape(unknowns, (-1, 2))
        return pairs[[0, -1], 0], pairs[[0, -1], 1]

    def sampled(self, unknowns, share=1.0, coarser=False):
        """Rates of every drawn neuron, by population."""
        given = self._split(unknowns)
        return [one.rates(*given, share, coarser) for one in self.populations]

    def response(self, unknowns, share=1.0):
        """Mean and spread of the rates that these means and spreads lead to."""
        return _moments(self.sampled(unknowns, share))

    def slope(self, unknowns, share, function):
        """Derivatives of a function of the sampled rates, and its value."""
        value = function(self.sampled(unknowns, share))
        columns = []
        for k in range(len(unknowns)):
            moved = unknowns.copy()
            moved[k] += _STEP * max(unknowns[k - k % 2], _NOTHING)
            change = function(self.sampled(moved, share)) - value
            columns.append(change / (moved[k] - unknowns[k]))
        return value, np.array(columns).T

    def find(self, start):
        """A solution, continued from the rates of neurons with equal in-degrees."""
        unknowns = np.array([x for rate in start for x in (rate, 0.0)])
        share, step = 0.0, 1.0
        while share < 1:
            step = min(step, 1 - share)
            found = self._newton(unknowns, share + step)
            if found is not None:
                share, step = share + step, 2 * step
                unknowns, slope = found
            elif step > _SHORTEST:
                step /= 2
            else:
                raise ConvergenceError(
                    f"CV_K: the state with equal in-degrees ends where their deviations are "
                    f"{share:.2g} of those asked for (two branches may meet); take the other state"
                )
        return unknowns, slope

    def _newton(self, unknowns, share):
        unknowns = unknowns.copy()
        if np.all(unknowns[1::2] == 0):
            unknowns[1::2] = self.response(unknowns, share)[1::2]
        for _ in range(_ITERATIONS):
            value, slope = self.slope(unknowns, share, _moments)
            gap = value - unknowns
            scale = np.repeat(np.maximum(unknowns[::2], _NOTHING), 2)
            if np.all(np.abs(gap) <= 1e-2 * self.rtol * scale):
                return unknowns, slope
            step = np.linalg.lstsq(np.eye(len(gap)) - slope, gap, rcond=None)[0]
            # a mean may not change by more than half of it at once, or its table is useless
            longest = np.max(np.abs(step[::2]) / np.maximum(unknowns[::2], 1e-2), initial=0.0)
            step *= min(1.0, 0.5 / max(longest, 1e-300))
            before = np.abs(gap / scale).max()
            for _ in range(8):
                tried = np.maximum(unknowns + step, 0.0)
                if np.abs((self.response(tried, share) - tried) / scale).max() < before:
                    break
                step /= 2
            else:
                return None
            unknowns = tried
        return None

    def polish(self, unknowns, slope):
        """A solution for the present table and sample, near one for others."""
        left = np.eye(len(unknowns)) - slope
        for attempt in range(_ITERATIONS):
            gap = self.response(unknowns) - unknowns
            scale = np.repeat(np.maximum(unknowns[::2], _NOTHING), 2)
            if np.all(np.abs(gap) <= 1e-2 * self.rtol * scale):
                break
            if attempt == 4:
                left = np.eye(len(unknowns)) - self.slope(unknowns, 1.0, _moments)[1]
            unknowns = np.maximum(unknowns + np.linalg.lstsq(left, gap, rcond=None)[0], 0.0)
        return unknowns, np.eye(len(unknowns)) - left

    def summary(self, unknowns, slope):
        """Fields of the result."""
        both = self.sampled(unknowns, coarser=True)
        fine, coarse = [x for x, _ in both], [x for _, x in both]
        gap = self.response(unknowns) - unknowns
        scale = np.repeat(np.maximum(unknowns[::2], _NOTHING), 2)
        amplify = np.abs(np.linalg.pinv(np.eye(len(unknowns)) - slope))

        def direct(function):
            value = function(fine)
            sets = [one.sample.by_set(x) for one, x in zip(self.populations, fine, strict=True)]
            of_sets = np.array([function(list(x)) for x in zip(*sets, strict=True)])
            drawn = 2 * of_sets.std(axis=0, ddof=1) / np.sqrt(_SETS)
            # the error of a spline falls by more than this when its nodes are twice as dense
            return value, drawn + np.abs(function(coarse) - value) / 4

        solver = max(one.table.error for one in self.populations)
        own = direct(_moments)[1] + solver * np.abs(unknowns) + np.abs(gap)
        uncertain = amplify @ own
        fractions, fraction_slope = self.slope(unknowns, 1.0, self._fractions)
        fraction_error = direct(self._fractions)[1] + np.abs(fraction_slope) @ uncertain
        pairs = [_statistics(x) for x in fine]
        pairs = [pairs[0], pairs[-1]]
        fields = {name: np.array([pair[name] for pair in pairs]) for name in pairs[0]}
        spread = [float(one.sample.k_E.std() / one.sample.k_E.mean()) for one in self.populations]
        fractions = np.reshape(fractions, (-1, 2))[[0, -1]]
        return fields | {
            "fraction_silent": fractions[:, 0],
            "fraction_saturated": fractions[:, 1],
            "stable": bool(np.linalg.eigvals(slope).real.max() < 1),
            "in_degree_cv": np.array([spread[0], spread[-1]]),
            "error": float((uncertain / scale).max()),
            "fraction_error": float(fraction_error.max()),
            "probabilities": _LEVELS_KEPT,
        }

    def _fractions(self, rates):
        found = []
        for one, nu in zip(self.populations, rates, strict=True):
            tau_rp = one.neuron.tau_rp
            top = SATURATED / tau_rp if tau_rp > 0 else np.inf
            found += [np.mean(nu < SILENT), np.mean(nu > top)]
        return np.array(found)


def _moments(rates):
    return np.array([x for nu in rates for x in (nu.mean(), nu.std())])


def _statistics(nu):
    """Statistics of the rates of one population."""
    from scipy.special import ndtr

    mean, sd = float(nu.mean()), float(nu.std())
    equal = sd <= 1e-9 * mean
    awake = np.sort(np.log(nu[nu >= SILENT]))
    found = {
        "rate_mean": mean,
        "rate_sd": 0.0 if equal else sd,
        "rate_cv": sd / mean if mean > 0 else np.nan,
        "rate_skew": np.nan if equal else float(np.mean((nu - mean) ** 3) / sd**3),
        "log_mean": np.nan,
        "log_sd": np.nan,
        "log_skew": np.nan,
        "lognormal_distance": np.nan,
        "quantiles": np.quantile(nu, _LEVELS_KEPT),
    }
    if awake.size:
        center, width = float(awake.mean()), float(awake.std())
        found |= {"log_mean": center, "log_sd": width}
        if not equal and width > 0:
            z = (awake - center) / width
            normal = ndtr(z)
            steps = np.arange(awake.size + 1) / awake.size
            distance = max(np.abs(normal - steps[1:]).max(), np.abs(normal - steps[:-1]).max())
            found |= {"log_skew": float(np.mean(z**3)), "lognormal_distance": float(distance)}
    return found
