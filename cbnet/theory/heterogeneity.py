"""Networks with unequal in-degrees: the distribution of rates that reproduces itself."""

import dataclasses
import warnings

import numpy as np

from .. import results
from ..errors import CbnetWarning, ConvergenceError, ParameterError, warn
from ..model import unused
from ..model.parameters import POPULATIONS
from ..model.units import to_quantity, unit
from ..support.threads import one_thread
from .network.modes import check_in_degrees
from .network.of_network import is_network
from .network.rate_statistics import SILENT
from .network.spread import Network
from .network_heterogeneity import heterogeneity_of_network
from .neuron import treatments
from .neuron.renewal import NOISES
from .self_consistency import TRAINS, solve

RTOL = 1e-3
_IRRELEVANT = {"D_min", "D_max", "r_E", "r_I"}


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
        Estimated error of means and standard deviations, relative to the mean (to 0.01 Hz, where
        that is less), with that of a formula, as for :class:`cbnet.Response`, if one was used.
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

    def __repr__(self):
        lines = [f"<RateDistribution: {self.parameters!r}>"]
        for name, meta in self._variables().items():
            shown = self.in_units(name)
            if np.shape(shown) == (2,):
                words = ["undefined" if np.isnan(x) else f"{x:.6g}" for x in shown]
                suffix = f" {meta['unit']}" if meta["unit"] != "1" else ""
                lines.append(f"  {name:<18} E {words[0]}, I {words[1]}{suffix}")
        lines += [
            f"  {'static stability':<18} {'stable' if self.stable else 'unstable'}",
            f"  {'noise':<18} {self.noise}",
            f"  {'error':<18} {'not known' if np.isinf(self.error) else f'{self.error:.1e}'}, "
            f"of the fractions {self.fraction_error:.1e}",
        ]
        return "\n".join([*lines, *self._not_used()])

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


@one_thread
def heterogeneity(
    params,
    *,
    CV_K=None,
    correlation=0.0,
    N=None,
    fraction_excitatory=0.8,
    state="high",
    noise=None,
    trains="poisson",
    rtol=None,
):
    """The distribution of rates over the neurons of a network with unequal in-degrees.

    Parameters
    ----------
    params : Parameters or Network
        Of the network; the populations may differ in any parameter. A Network says by its wirings
        how in-degrees differ, takes `noise` and `rtol`, and gives a
        :class:`cbnet.theory.network_heterogeneity.NetworkRateDistribution`.
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
    trains : {"poisson", "renewal"}
        What recurrent spike trains are like: Poisson, or renewal processes with the rates and CVs
        that the neurons are found to have (noise ``"shot"`` or ``"diffusion"``), as for
        :func:`cbnet.solve`; several times as slow.
    rtol : float, optional
        Accuracy of means and standard deviations, relative to the mean. If not given 1e-3, and 1e-2
        with synaptic time constants, where every rate takes a hundred times as long: 5 to 20 s in
        all, and minutes for 1e-3.

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
    Poissonian spikes. Gaussian in-degrees are real numbers, clipped at 0.

    Where coupling is so strong that K (∂Φ/∂R_E)² + γK (∂Φ/∂R_I)² exceeds 1 at equal rates, a small
    spread of rates grows by itself: for CV_K → 0 the answer tends to a state with a spread, and not
    to equal rates; with CV_K = 0 it is the state with equal rates, and `stable` is False. Whether
    rates that differ by themselves stand still is not a question that this theory answers.

    References
    ----------
    C. van Vreeswijk and H. Sompolinsky, Neural Comput. 10, 1321 (1998), and A. Roxin, N. Brunel, D.
    Hansel, G. Mongillo and C. van Vreeswijk, J. Neurosci. 31, 16217 (2011), for the self-consistent
    distribution; S. Ostojic, Nature Neurosci. 17, 594 (2014), for spread that arises by itself; A.
    Sanzeni, M. H. Histed and N. Brunel, Phys. Rev. X 12, 011044
    (2022), for networks of conductance synapses.

    Examples
    --------
    >>> import cbnet
    >>> found = cbnet.heterogeneity(cbnet.load("conductance"), CV_K=0.1, noise="diffusion")
    >>> [round(float(rate), 1) for rate in found.rate_mean]
    [47.9, 47.9]
    """
    if is_network(params):
        for name, value in {"CV_K": CV_K, "correlation": correlation or None, "N": N}.items():
            if value is not None:
                raise ParameterError(
                    f"{name}: got {value} for a network of named populations; expected its wirings "
                    "and sizes to say it"
                )
        if trains != "poisson":
            raise ParameterError(
                f"trains: got {trains!r} for a network of named populations; expected 'poisson'"
            )
        return heterogeneity_of_network(params, noise=noise, rtol=rtol)
    laws = _laws(params, CV_K)
    _check(params, correlation, fraction_excitatory, N, state)
    method = treatments.choose(noise, params)
    if not method.network:
        raise ParameterError(
            f"noise: got {method.name!r}, which has no rate above threshold; expected "
            f"{', '.join(m.name for m in treatments.METHODS.values() if m.network)} for a network"
        )
    rtol = max(RTOL, method.rtol) if rtol is None else treatments.accuracy(method, rtol)
    if trains not in TRAINS:
        raise ParameterError(f"trains: got {trains!r}; expected one of {', '.join(TRAINS)}")
    if trains == "renewal" and method.name not in NOISES:
        raise ParameterError(
            f"trains: got 'renewal' with noise={method.name!r}; expected {' or '.join(NOISES)}"
        )
    left_out = unused.tell(params, "cbnet.heterogeneity", unused.of_network, "law", "CV_K")
    if CV_K is None and all(law == "fixed" for law, _ in laws):
        warn(
            "law: got 'fixed', equal in-degrees, with which all neurons fire alike; give CV_K, or "
            "parameters with another law",
        )
    with unused.told(), warnings.catch_warnings():
        # of a formula's range, which the distribution leaves or keeps to as a whole
        warnings.simplefilter("ignore", CbnetWarning)
        start = _equal(params, method, state)
    sizes = (np.inf, np.inf)
    if N is not None:
        sizes = (round(fraction_excitatory * N), N - round(fraction_excitatory * N))
    differing = set(params.differing()) - _IRRELEVANT
    if CV_K is not None:
        differing -= {"law", "CV_K"}
    alike = not differing
    network = Network(params, method, laws, correlation, sizes, start, alike, rtol)
    unknowns, slope = network.find(start[:1] if alike else start)
    if trains == "renewal":
        unknowns, slope = network.renewed(unknowns, slope)
    summary = network.answer(unknowns, slope)
    missed, own = summary["error"], summary.pop("of_formula")
    summary["error"] += own
    note = "renewal trains" if trains == "renewal" else ""
    if np.isinf(own):
        note = "outside of its range: error not known"
        warn(
            f"noise: got {method.name!r}, outside of its range for some of the neurons: use "
            "'colored'",
        )
    best = RateDistribution(
        parameters=params,
        rate_equal=to_quantity(np.array(start), "Hz"),
        correlation=float(correlation),
        noise=treatments.describe(method, params, note),
        unused=left_out,
        **summary,
    )
    if not missed <= rtol:
        raise ConvergenceError(
            f"rtol: got {rtol:g}; the error of a mean or standard deviation of rates is estimated "
            f"at {missed:.2g} of the mean; ask for less accuracy",
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


def _check(params, correlation, fraction_excitatory, N, state):
    if not 0 <= correlation <= 1:
        raise ParameterError(f"correlation: got {correlation}; expected a number from 0 to 1")
    if not 0 < fraction_excitatory < 1:
        raise ParameterError(
            f"fraction_excitatory: got {fraction_excitatory}; expected a number between 0 and 1"
        )
    if N is not None and not (isinstance(N, (int, np.integer)) and N >= 2):
        raise ParameterError(f"N: got {N}; expected a whole number of at least 2")
    if N is not None:
        check_in_degrees(params, N, fraction_excitatory)
    if state not in ("high", "low"):
        raise ParameterError(f"state: got {state!r}; expected 'high' or 'low'")


def _equal(params, method, state):
    """Rates of the chosen stable state with equal in-degrees, in Hz."""
    try:
        found = solve(params, noise=method.name, rtol=max(method.scan_rtol, 1e-6))
    except ConvergenceError as failure:
        found = failure.best
    if found is None or not len(found.stable):
        raise ConvergenceError(
            "heterogeneity: got no self-consistent state with equal in-degrees to start from; "
            "cbnet.solve says why"
        )
    stable = np.flatnonzero(found.stable)
    if not stable.size:
        stable = np.arange(len(found.stable))
    k = stable[-1 if state == "high" else 0]
    return float(found.in_si("rate_E")[k]), float(found.in_si("rate_I")[k])
