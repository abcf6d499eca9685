"""The efficacy at which a neuron keeps its rate as the in-degree grows."""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from ..errors import ConvergenceError, ParameterError
from ..model import unused
from ..model.parameters import POPULATIONS
from ..model.units import to_quantity
from .network.line import SILENT
from .network.roots import all_roots
from .neuron.jumps import jump_process, shot_noise
from .neuron.neuron import Neuron
from .neuron.treatments import METHODS
from .response import rates_in_hertz
from .self_consistency import solve

REFERENCE_NU_X = 20.0  # Hz: external rate of the network whose response is preserved
_SMALLEST = 1e-12  # efficacy
_AFFORDABLE = 1e6  # in-degree up to which finite jumps are solved
_RTOL = 1e-3  # of those rates: an efficacy is better known by the exponent
_APART = 1e-3  # of ln a, for the slope of white noise
_CLOSE = 0.02  # of ln ν, over which the factor of large deviations does not change
_DEEP = 3.0  # exponent from which on the rate is large deviations up to a slow factor
_STEP = 1.0  # decades of K between two efficacies of which one starts the search for the other


def kept(params, method, explicit):
    """What is kept, from what a caller gave: a :class:`Kept`."""
    if not method.network:
        raise ParameterError(
            f"noise: got {method.name!r} for law='preserving'; expected 'diffusion'"
        )
    inputs = [explicit["r_E"], explicit["r_I"]]
    if (inputs[0] is None) != (inputs[1] is None) or (
        inputs[0] is None and explicit["rate"] is not None
    ):
        raise ParameterError(
            "r_E: got some of r_E, r_I and rate; law='preserving' needs r_E and r_I, or none"
        )
    values = params.resolve("E")
    one = Kept(params, method, np.nan, np.nan, np.nan, explicit["rate"] is not None)
    if inputs[0] is None:
        r_E, r_I, rate = _reference(params, method.name)
    else:
        r_E, r_I = (
            _one_rate(params, value, name)
            for name, value in zip(("r_E", "r_I"), inputs, strict=True)
        )
        rate = explicit["rate"]
    one = Kept(params, method, r_E, r_I, np.nan, explicit["rate"] is not None)
    if rate is None:
        rate = one.rates(values["K"], np.array([values["a"]]), method.rtol)[0]
    else:
        rate = _one_rate(params, rate, "rate")
    most = 1 / values["tau_rp"] if values["tau_rp"] > 0 else np.inf
    if not SILENT < rate < most:
        raise ParameterError(
            f"rate: got {rate:.4g} Hz at r_E = {r_E:.4g} Hz, r_I = {r_I:.4g} Hz; expected a rate "
            f"above {SILENT:g} Hz and below 1/tau_rp; choose other inputs"
        )
    return Kept(params, method, r_E, r_I, rate, explicit["rate"] is not None)


@dataclass(frozen=True)
class Kept:
    """An E neuron whose rate (Hz) at fixed inputs (Hz) is to be kept.

    `moved` says that the rate was given, and is not that of the neuron's own K and a.
    """

    params: object
    method: object
    r_E: float
    r_I: float
    rate: float
    moved: bool

    def rates(self, K, a, rtol):
        """Φ for an array of efficacies."""
        neuron = self._neuron(K, a)
        inputs = np.full(a.shape, float(self.r_E)), np.full(a.shape, float(self.r_I))
        try:
            return neuron.passage(*inputs, rtol, cv=False).rate
        except ConvergenceError as error:
            return error.best.rate

    def efficacies(self, K):
        """The efficacy at every in-degree, its relative error, and where extrapolation starts.

        Parameters
        ----------
        K : ndarray, shape (n,)

        Returns
        -------
        a, error : ndarray, shape (n,)
        extrapolated : float
            In-degree above which large deviations took over; zero if nowhere.
        """
        values = self.params.resolve("E")
        start, a_0 = float(values["K"]), float(values["a"])
        if self.moved:
            guided = _Guided(self) if self.method.name == "shot" else None
            moved = None if guided is None else guided.exact(start, a_0)
            a_0 = self._follow(start, a_0, K[0]) if moved is None else moved
        found = {start: (a_0, self.method.rtol)}
        beyond = 0.0
        for wanted in (np.unique(K[start < K]), np.unique(K[start > K])[::-1]):
            beyond = max(beyond, self._walk(start, a_0, wanted, found))
        a, error = np.array([found[k] for k in K]).T
        return a, error, beyond

    def _walk(self, start, a, wanted, found):
        """Fill in the efficacies of in-degrees that lead away from `start`, one after another."""
        guided = _Guided(self) if self.method.name == "shot" else None
        exact_to = max(_AFFORDABLE, 10 * start)
        joints = [] if guided is None else [k for k in (exact_to / 10, exact_to) if k > start]
        if not (wanted.size and wanted[-1] > exact_to):
            joints = []
        here, beyond = start, 0.0
        if guided is not None and wanted.size:
            guided.learn(start, a, guided.guide(start, a))
        down = bool(wanted.size and wanted[-1] < start)
        for k in sorted({*map(float, wanted), *joints}, reverse=down):
            steps = max(1, int(np.ceil(abs(np.log10(k / here)) / _STEP - 1e-9)))
            for at in np.geomspace(here, k, steps + 1)[1:]:
                at = k if at == k or abs(at / k - 1) < 1e-12 else at
                following = None
                if guided is not None:
                    following = (guided.extrapolated if at > exact_to else guided.exact)(at, a)
                    beyond = exact_to if following is not None and at > exact_to else beyond
                error = self.method.rtol if following is None else guided.error
                a = self._follow(at, a, k) if following is None else following
            found[k] = a, error
            here = k
        return beyond

    def _neuron(self, K, a):
        columns = {"K": np.full(a.shape, float(K)), "a": a}
        return Neuron(self.params, "E", self.method.name, columns=columns)

    def _follow(self, K, a, wanted):
        """The efficacy nearest to `a` with the rate to be kept."""
        if self.method.costly:
            found = self._nearby(K, a)
            if found is None:
                raise self._no_efficacy(K, wanted)
            return found
        for low, high in ((a / 6, min(6 * a, 1.0)), (_SMALLEST, 1.0)):
            roots = all_roots(
                lambda x, rtol: x * self.rates(K, x, rtol) / self.rate, low, high, self.method.rtol
            )
            if roots:
                return min((r.rates[0] for r in roots), key=lambda x: abs(np.log(x / a)))
        raise self._no_efficacy(K, wanted)

    def _no_efficacy(self, K, wanted):
        return ParameterError(
            f"K: got {wanted:.4g}; no efficacy gives {self.rate:.4g} Hz at r_E = {self.r_E:.4g} "
            f"Hz, r_I = {self.r_I:.4g} Hz once K = {K:.4g}; choose other inputs or another law"
        )

    def _nearby(self, K, a):
        """The efficacy nearest to `a` where rates take milliseconds, or None."""
        params, rtol = self.params, self.method.rtol
        most = 1.0 / max(params.resolve("E")["g"], 1.0) if "g" in params.model.entries else 1.0

        def excess(x, tol):
            found = self.rates(K, np.array([np.exp(x)]), tol)[0]
            return float(np.clip(np.log(max(found, 1e-300) / self.rate), -50, 50))

        low, high = np.log(_SMALLEST), np.log(0.999 * most)
        x, step = np.clip(np.log(a), low, high), 0.02
        before = excess(x, 1e-2)
        if abs(before) < rtol:
            before = excess(x, rtol)
            if before == 0:
                return float(np.exp(x))
        # a rate grows with the efficacy below threshold, which is where it needs to be kept
        for direction in (-np.sign(before), np.sign(before)):
            at, value, step = x, before, 0.02
            while low < at < high or at == x:
                following = float(np.clip(at + direction * step, low, high))
                next_value = excess(following, 1e-2)
                if np.isnan(next_value):
                    break
                if next_value * before <= 0:
                    ends = sorted((at, following))
                    ends = ends[0] - 0.01, min(ends[1] + 0.01, high)
                    # ln ν changes C/a times as fast as ln a
                    fine = 5 * rtol
                    if not excess(ends[0], fine) * excess(ends[1], fine) <= 0:
                        return None
                    return float(np.exp(brentq(excess, *ends, args=(fine,), xtol=rtol * 1e-3)))
                if following == at or (abs(next_value) >= 50 and abs(value) >= 50):
                    break
                at, value, step = following, next_value, 1.6 * step
        return None


class _Guided:
    """Rates of finite jumps as a cheap rate times a factor that hardly changes along the way.

    The guide is large deviations where spikes are rare, and white noise elsewhere.
    """

    def __init__(self, kept):
        self.kept = kept
        self.known = {}  # by guide: efficacies with ln of the factor
        self.error = 0.0

    def learn(self, K, a, guide):
        """The factor at one efficacy; the logarithm of the exact rate over that which is kept."""
        kept = self.kept
        exact = float(kept.rates(K, np.array([a]), _RTOL)[0])
        slope, log_rate = guide(K, a)
        if exact > 0 and slope > 0:
            known = [x for x in self.known.get(guide.__name__, []) if x[0] != a][-3:]
            self.known[guide.__name__] = [*known, (a, np.log(exact) - log_rate)]
            self.error = _RTOL / slope
        return np.log(max(exact, 1e-300) / kept.rate)

    def exact(self, K, a):
        """The efficacy at which the exact rate is kept, or None if this is not how to find it."""
        for _ in range(8):
            guide = self.guide(K, a)
            known = self.known.get(guide.__name__, [])
            a = self._solve(guide, K, a, *known[-1:])
            if a is None:
                return None
            if abs(self.learn(K, a, guide)) <= _CLOSE and guide.__name__ in self.known:
                return self._solve(guide, K, a, self.known[guide.__name__][-1])
        return None

    def extrapolated(self, K, a):
        """The efficacy with the factor on a straight line in a through the last two known."""
        guide = self.guide(K, a)
        known = self.known.get(guide.__name__)
        if not known:
            return None
        last, before = known[-1], known[-2:][0]
        gap = last[0] - before[0]
        slope = (last[1] - before[1]) / gap if gap else 0.0
        a = self._solve(guide, K, a, last, slope)
        if a is not None:
            change, rise = abs(slope * (a - last[0])), guide(K, a)[0]
            # how steeply white noise depends on a at the edge of silence says little
            white = guide == self.white
            self.error = _RTOL + abs(last[1]) + change if white else (_RTOL + change) / rise
        return a

    def guide(self, K, a):
        """The cheap rate that serves there."""
        return self.rare if self.rare(K, a)[0] >= _DEEP else self.white

    def rare(self, K, a):
        """d ln ν/d ln a, which is the exponent, and ln ν of large deviations."""
        kept = self.kept
        neuron = kept._neuron(K, np.array([a]))
        inputs = np.array([kept.r_E]), np.array([kept.r_I])
        process = jump_process.of_neuron(neuron, *inputs)[0]
        mu = float(neuron.rest(*inputs)[0][0])
        exponent, prefactor = shot_noise.exponent_and_prefactor(process, mu)
        if not prefactor > 0:
            return 0.0, 0.0
        log_rate = np.log(prefactor) - exponent
        return exponent, log_rate - np.log1p(np.exp(min(log_rate, 700.0)) * process.tau_rp)

    def white(self, K, a):
        """d ln ν/d ln a and ln ν of white noise."""
        pair = np.array([a, a * np.exp(_APART)])
        neuron = Neuron(self.kept.params, "E", "diffusion", columns={"K": 0 * pair + K, "a": pair})
        inputs = np.full(2, float(self.kept.r_E)), np.full(2, float(self.kept.r_I))
        low, high = np.log(np.maximum(neuron.passage(*inputs, 1e-9, cv=False).rate, 1e-300))
        return float(high - low) / _APART, float(low)

    def _solve(self, guide, K, a, known=(1.0, 0.0), slope=0.0):
        """The efficacy near `a` at which the guide times a factor gives the rate."""
        if guide == self.white:
            return self._white_efficacy(K, a, known, slope)
        target = np.log(self.kept.rate) - known[1]
        for _ in range(40):
            rise, log_rate = guide(K, a)
            if rise < 0.8 * _DEEP:
                return None
            excess = log_rate + slope * (a - known[0]) - target
            a *= np.exp(np.clip(-excess / rise, -0.3, 0.3))
            if a >= 1:
                return None
            if abs(excess) < 1e-8:
                return float(a)
        return None

    def _white_efficacy(self, K, a, known, slope):
        """The same for white noise, whose rate may jump to zero where the mean falls short."""
        kept = self.kept
        for _ in range(2 if slope else 1):
            rate = kept.rate * np.exp(-known[1] - slope * (a - known[0]))
            white = Kept(kept.params, METHODS["diffusion"], kept.r_E, kept.r_I, rate, True)
            try:
                a = white._follow(K, a, K)
            except ParameterError:
                return None
        return a


@functools.lru_cache(maxsize=32)
def _reference(params, noise):
    """Inputs and rate of an E neuron in the network at the reference external rate."""
    nu_X = to_quantity(REFERENCE_NU_X, "Hz")
    own = {f"{p}.nu_X": nu_X for p in POPULATIONS if f"{p}.nu_X" in params.changes}
    with unused.told():
        solution = solve(params.replace(nu_X=nu_X, **own), noise=noise)
    rate_E, rate_I = (np.asarray(x, float) for x in (solution.rate_E, solution.rate_I))
    active = np.flatnonzero(solution.stable & (rate_E > SILENT))
    if not active.size:
        raise ParameterError(
            f"law: got 'preserving', but the network is silent at nu_X = {REFERENCE_NU_X:g} Hz, "
            f"K = {params.resolve('E')['K']}, a = {params.resolve('E')['a']:g}; give r_E and r_I"
        )
    k = active[0]
    return REFERENCE_NU_X + rate_E[k], rate_I[k], to_quantity(rate_E[k], "Hz")


def _one_rate(params, value, name):
    if name == "rate" and isinstance(value, str):
        return float(params.model.entry("r_E", name).parse(value, name))
    array = rates_in_hertz(params, value, name)
    if array.ndim:
        raise ParameterError(f"{name}: got {array.size} values; expected one")
    return float(array)
