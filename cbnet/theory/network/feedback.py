"""The feedback of a network: from modulated population rates back to themselves."""

from dataclasses import dataclass

import numpy as np

from .characteristic import Characteristic
from .line import SILENT
from .pole_orders import pole_orders

_PERIOD = 0.02  # s: neurons that fire more rarely than this have no sharp period
_STEPS = 12  # of Newton's method


@dataclass(frozen=True)
class Link:
    """Arrivals from one population at the neurons of another.

    Attributes
    ----------
    target, source : int
        Populations.
    modulation : int
        Which modulation of the target's response they are.
    number : float
        Mean in-degree.
    delay : object
        Law of the delays: ``laplace(lam)`` is ⟨e^(−λD)⟩, `longest` in s; equal ones compare equal.
    tau : float
        Time constant of the synaptic filter, s.
    """

    target: int
    source: int
    modulation: int
    number: float
    delay: object
    tau: float = 0.0


class Feedback:
    """A network of any number of populations linearised about one of its self-consistent states.

    Parameters
    ----------
    rates : array_like, shape (P,)
        In Hz; below 1e-6 Hz a population takes no part.
    responses : sequence of callable, length P
        Each of complex λ, an Answer with the gain of a population's rate with each modulation of
        its arrival rates; None for a population that takes no part. Populations that respond alike
        share one.
    links : sequence of Link

    Notes
    -----
    M_pq(λ) = Σ K_pq H_pq(λ) ⟨e^(−λD)⟩ / (1 + λτ) over the links from q to p.
    """

    def __init__(self, rates, responses, links):
        self.rates = np.array(rates, float)
        self._active = [n for n, nu in enumerate(rates) if nu > SILENT]
        self._responses = {n: responses[n] for n in self._active}
        self.links = [link for link in links if link.target in self._responses]
        groups = [
            id(self._responses[n]) if n in self._responses else None for n in range(self.size)
        ]
        self._filters, self._orders = pole_orders(groups, self.links)

    @property
    def size(self):
        """Number of populations."""
        return self.rates.size

    def gains(self, lam):
        """Change of a population's rate with the rate of its arrivals, and the single neurons.

        Returns
        -------
        gain : ndarray of complex, shape (n, L)
            For each link, per arrival rate, delays and synaptic filters included.
        interval : ndarray of complex, shape (n, P)
            Transform of the intervals; zero for a silent population.
        pole, log_scale : ndarray of complex and of float, shape (n,)
            See :class:`Answer`; of all populations together, each as often as the determinant of
            the feedback has its zeros as poles.
        """
        lam = np.asarray(lam, complex)
        gain = np.zeros((lam.size, len(self.links)), complex)
        interval, pole = np.zeros((lam.size, self.size), complex), np.ones(lam.size, complex)
        log_scale = np.zeros(lam.size)
        seen, ways = {}, {}
        for n, response in self._responses.items():
            if id(response) not in seen:
                seen[id(response)] = response(lam)
                times = self._orders.get(id(response), 0)
                pole = pole * seen[id(response)].pole ** times
                log_scale = log_scale + times * seen[id(response)].log_scale
            interval[:, n] = seen[id(response)].interval
        for k, link in enumerate(self.links):
            if link.delay not in ways:
                ways[link.delay] = link.delay.laplace(lam)
            of_neuron = seen[id(self._responses[link.target])].gain[link.modulation]
            gain[:, k] = of_neuron * ways[link.delay] / _inverse_filter(lam, link.tau)
        return gain, interval, pole, log_scale

    def assemble(self, gain):
        """M, shape (n, P, P), of the gains of the links."""
        found = np.zeros((len(gain), self.size, self.size), complex)
        for k, link in enumerate(self.links):
            found[:, link.target, link.source] += gain[:, k] * link.number
        return found

    def matrix(self, lam):
        """From population rates to population rates, shape (n, P, P)."""
        return self.assemble(self.gains(lam)[0])

    def distance(self, lam):
        """How far the nearest mode is from λ, by one step of Newton's method; in 1/s."""
        h = 1e-4 * (abs(lam) + 1.0)
        f = determinant(self.matrix(np.array([lam, lam + h, lam - h])))
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(abs(f[0] * 2 * h / (f[1] - f[2])))

    def mode_near(self, lam):
        """The mode to which Newton's method leads from λ; NaN if it leads nowhere."""
        start = lam
        for _ in range(_STEPS):
            h = 1e-4 * (abs(lam) + 1.0)
            f = determinant(self.matrix(np.array([lam, lam + h, lam - h])))
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

        def value(lam):
            gain, _, pole, log_scale = self.gains(lam)
            for tau in self._filters:
                pole = pole * _inverse_filter(lam, tau)
            return determinant(self.assemble(gain)), pole, log_scale

        def radius(lam):
            return np.abs(np.linalg.eigvals(self.matrix(lam))).max(1)

        delay = max((link.delay.longest for link in self.links), default=0.0)
        period = max(min(1 / nu, _PERIOD) for nu in self.rates[self._active])
        delay, others = max(delay, 1e-6), period + sum(self._filters)
        return Characteristic(value, radius, delay, delay + others, highest)


def determinant(M):
    """det(1 − M) of matrices of shape (n, P, P)."""
    return np.linalg.det(np.eye(M.shape[-1]) - M)


def _inverse_filter(lam, tau):
    """1 + λτ, and hardly anything instead of its zero, which is a pole of the gains."""
    found = 1 + lam * tau
    return np.where(found == 0, 1e-12, found)
