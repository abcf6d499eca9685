"""The feedback of a network: from modulated population rates back to themselves."""

import numpy as np

from ...model.parameters import POPULATIONS
from ..neuron.white import white_noise
from ..neuron.white.linear_response import LinearResponse
from .characteristic import Characteristic
from .line import SILENT

# What one neuron does not feel: populations that differ in nothing else have one response.
_ELSEWHERE = {"D_min", "D_max", "law", "CV_K", "r_E", "r_I"}
_PERIOD = 0.02  # s: neurons that fire more rarely than this have no sharp period
_STEPS = 12  # of Newton's method
_REFERENCE = 1e4  # 1/s: an arrival rate large enough to see its effect on drift and noise


class Feedback:
    """A network linearised about one of its self-consistent states.

    Parameters
    ----------
    params : Parameters
    neurons : dict of str to Neuron
        Of both populations.
    rates : tuple of float
        Of E and I in Hz; below 1e-6 Hz a population takes no part.
    respond : callable
        ``(neuron, r_E, r_I) -> callable`` of complex λ that gives an Answer; to white noise if not
        given.
    order, finer
        As for LinearResponse.
    """

    def __init__(self, params, neurons, rates, *, respond=None, order=10, finer=1.0):
        self.rates = np.array(rates, float)
        self._active = [n for n, nu in enumerate(rates) if nu > SILENT]
        self._values = [neurons[p].values for p in POPULATIONS]
        self._taus = [[neurons[p].taus[kind] for kind in POPULATIONS] for p in POPULATIONS]
        self._alike = set(params.differing()) <= _ELSEWHERE and rates[0] == rates[1]
        self._responses = {}
        for n in self._active:
            if n == 1 and self._alike:
                self._responses[n] = self._responses[0]
            elif respond is None:
                self._responses[n] = _response(neurons[POPULATIONS[n]], rates, order, finer)
            else:
                neuron = neurons[POPULATIONS[n]]
                self._responses[n] = respond(neuron, neuron.values["nu_X"] + rates[0], rates[1])

    @property
    def in_degrees(self):
        """Recurrent in-degree, shape (2, 2): of which population, from which."""
        return np.array([[v["K"], v["gamma"] * v["K"]] for v in self._values], float)

    def gains(self, lam):
        """Change of a population's rate with the rate of its arrivals, and the single neurons.

        Returns
        -------
        gain : ndarray of complex, shape (n, 2, 2)
            Per arrival rate, delays and synaptic filters included.
        interval : ndarray of complex, shape (n, 2)
            Transform of the intervals; zero for a silent population.
        pole, log_scale : ndarray of complex and of float, shape (n,)
            See :class:`Answer`; of both populations together, or of one that stands for both.
        """
        lam = np.asarray(lam, complex)
        gain = np.zeros((lam.size, 2, 2), complex)
        interval, pole = np.zeros((lam.size, 2), complex), np.ones(lam.size, complex)
        log_scale = np.zeros(lam.size)
        seen = {}
        for n, response in self._responses.items():
            if id(response) not in seen:
                seen[id(response)] = response(lam)
                pole = pole * seen[id(response)].pole
                log_scale = log_scale + seen[id(response)].log_scale
            answer, values = seen[id(response)], self._values[n]
            way = _delay(lam, values["D_min"], values["D_max"])
            for m, tau in enumerate(self._taus[n]):
                gain[:, n, m] = answer.gain[m] * way / _inverse_filter(lam, tau)
            interval[:, n] = answer.interval
        return gain, interval, pole, log_scale

    def matrix(self, lam):
        """From population rates to population rates, shape (n, 2, 2)."""
        return self.gains(lam)[0] * self.in_degrees

    def distance(self, lam):
        """How far the nearest mode is from λ, by one step of Newton's method; in 1/s."""
        h = 1e-4 * (abs(lam) + 1.0)
        f = _determinant(self.matrix(np.array([lam, lam + h, lam - h])))
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(abs(f[0] * 2 * h / (f[1] - f[2])))

    def mode_near(self, lam):
        """The mode to which Newton's method leads from λ; NaN if it leads nowhere."""
        start = lam
        for _ in range(_STEPS):
            h = 1e-4 * (abs(lam) + 1.0)
            f = _determinant(self.matrix(np.array([lam, lam + h, lam - h])))
            with np.errstate(divide="ignore", invalid="ignore"):
                step = f[0] * 2 * h / (f[1] - f[2])
            if not abs(step) < 3 * (abs(start) + 1.0):
                break
            lam = lam - step
            if abs(step) < 1e-3 * (abs(lam) + 1.0):
                return lam
        return complex(np.nan, np.nan)

    def characteristic(self, highest):
        """det(1 − M(λ)), whose zeros are the modes of the network."""
        filters = self._filter_poles()

        def value(lam):
            gain, _, pole, log_scale = self.gains(lam)
            for tau in filters:
                pole = pole * _inverse_filter(lam, tau)
            return _determinant(gain * self.in_degrees), pole, log_scale

        def radius(lam):
            return np.abs(np.linalg.eigvals(self.matrix(lam))).max(1)

        delay = max(self._values[n]["D_max"] for n in self._active)
        period = max(min(1 / nu, _PERIOD) for nu in self.rates[self._active])
        delay, others = max(delay, 1e-6), period + sum(filters)
        return Characteristic(value, radius, delay, delay + others, highest)

    def _filter_poles(self):
        """Time constants τ for which the determinant has a pole at −1/τ, as often as it has it."""
        entry = [[[tau] for tau in taus] for taus in self._taus]
        products = [entry[n][m] for n in self._active for m in (self._active)]
        if len(self._active) == 2 and not self._alike:
            # of populations that respond alike the two products cancel
            products += [entry[0][0] + entry[1][1], entry[0][1] + entry[1][0]]
        times = {tau for product in products for tau in product if tau > 0}
        return [tau for tau in times for _ in range(max(p.count(tau) for p in products))]


def _determinant(M):
    return (1 - M[:, 0, 0]) * (1 - M[:, 1, 1]) - M[:, 0, 1] * M[:, 1, 0]


def _inverse_filter(lam, tau):
    """1 + λτ, and hardly anything instead of its zero, which is a pole of the gains."""
    found = 1 + lam * tau
    return np.where(found == 0, 1e-12, found)


def _delay(lam, shortest, longest):
    """Mean of e^(−λD) over uniform D."""
    x = lam * (longest - shortest)
    small = np.abs(x) < 1e-6
    safe = np.where(small, 1.0, x)
    return np.exp(-lam * shortest) * np.where(small, 1 - x / 2, -np.expm1(-safe) / safe)


def _response(neuron, rates, order, finer):
    """The response of one population's neurons to either kind of arrivals."""
    inputs = np.array([neuron.values["nu_X"] + rates[0]]), np.array([float(rates[1])])
    fields = white_noise.select(neuron, *inputs)(slice(None))
    bound = neuron.bound(*inputs)
    modulations = []
    for p in POPULATIONS:
        # drift and noise are affine in the arrival rates
        high, low = ({**bound, f"R_{p}": x} for x in (_REFERENCE, 0.0))
        modulations.append(
            [
                _difference(*(neuron.reduced.function(name, x) for x in (high, low)))
                for name in ("A", "B2")
            ]
        )
    return LinearResponse(
        *fields,
        modulations,
        neuron.threshold,
        neuron.reset,
        neuron.tau_rp,
        order=order,
        finer=finer,
    )


def _difference(high, low):
    return lambda v: (high(v) - low(v)) / _REFERENCE
