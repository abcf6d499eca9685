"""What one neuron with instantaneous synapses does in steps of time.

With the operators of :class:`~cbnet.simulation.step.chain.Chain`, functions of where v is when a
step begins solve

    X(v) = S(v) + [K X](v),

where K applies to X the leak over parts of the step, 0 where it takes v past the threshold, and the
arrivals, which are Poisson: the jumps J act for a part of the step. X is the time to the threshold,
its second moment, or the sum of 1, v or v² over the ends of steps; S tells which. (In the compiled
kernel the neurons that cannot cross in a step get the mean and the spread over all orders of their
arrivals instead of one of them, ``cpp/instantaneous.h``; ``python -m benchmarks.timestep``
compares.)
"""

import numpy as np
from scipy.linalg import lu_solve
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, gmres

_RTOL = 1e-8  # of the iteration, where the grid's error is 1e-3
_MOST_ITERATIONS = 100
_ARRIVALS = 50  # expected at once, more than which their weights would underflow
_NODES, _WEIGHTS = (x / 2 for x in np.polynomial.legendre.leggauss(3))
_NODES = _NODES + 0.5


class _Leak:
    """The leak over a time: what it makes of a function, and when it crosses the threshold."""

    def __init__(self, chain, time):
        n = chain.v.size
        matrix = np.zeros((n, n))
        images = [chain.leaked(x, time) for x in (chain.v, chain.low, chain.high)]
        _, low, high = images
        if chain.f(chain.threshold) > 0 and time > 0:
            low[-1] = high[-1]  # from the threshold there is no way to go, as in continuous time
        chain.add_absorbed(matrix, *images, 1.0)
        self.matrix = csr_array(matrix)
        self.crossed = np.clip((high - chain.threshold) / np.maximum(high - low, 1e-12), 0.0, 1.0)
        beyond = (np.maximum(low, chain.threshold) + high) / 2 - chain.threshold
        speed = max(float(chain.f(chain.threshold)), 1e-12)
        self.when = np.where(self.crossed > 0, np.maximum(time - beyond / speed, 0.0), 0.0)

    def __call__(self, X, power=None, begins=0.0):
        """Act on X; with a power, add that power of the time of a crossing, counted from `begins`
        before the leak.
        """
        found = self.matrix @ X
        return found if power is None else found + self.crossed * (begins + self.when) ** power


class Stepped:
    """A neuron in steps of dt.

    Parameters
    ----------
    chain : Chain
    dt : float
        Time step, s.
    """

    def __init__(self, chain, dt):
        self.chain, self.dt = chain, float(dt)
        v = self.shown(chain.v) - chain.reset
        self.seen = [self.dt * v**power for power in range(3)]

    def shown(self, v):
        """What a step that ends at v counts as a voltage."""
        return v

    def step(self, X, power=None):
        """K X; with a power, the mean of that power of the time to a crossing, from now on in X."""
        raise NotImplementedError

    def from_reset(self, *functions):
        """The mean interval, then time to the threshold and what else is given, from the reset."""
        raise NotImplementedError

    def solve(self, source):
        """X at the nodes, where S(v) is the source."""
        n, dt = self.chain.v.size, self.dt
        factors = self.chain.factors
        # A step is 1 − e^(L dt) up to commutators, close to −L dt/(1 − L dt/2).
        continuous = LinearOperator((n, n), lambda r: r / 2 - lu_solve(factors, r) / dt)
        step = LinearOperator((n, n), lambda X: X - self.step(X), dtype=float)
        options = {"restart": _MOST_ITERATIONS, "maxiter": 2, "M": continuous}
        start = self.chain.solve(source / dt)
        X, failed = gmres(step, source, start, rtol=_RTOL, atol=0.0, **options)
        if failed:
            X = np.linalg.solve(np.eye(n) - self.step(np.eye(n)), source)
        return X

    def _poisson(self, part):
        """Numbers of arrivals in a part of a step, and how often that is done."""
        mean = (self.chain.R_E + self.chain.R_I) * self.dt * part
        repeats = max(1, int(np.ceil(mean / _ARRIVALS)))
        mean /= repeats
        counts = np.arange(1, int(mean + 10 * np.sqrt(mean) + 20))
        return np.exp(-mean) * np.cumprod(np.append(1.0, mean / counts)), repeats

    def arrive(self, X, part=1.0):
        """e^(J dt part) X, by the number of arrivals: e^(J t) = Σ Poisson(k) P^k.

        scipy.linalg.expm (1.17, 1.18) errs by up to 1e-2 where J is triangular: no inhibition.
        """
        if self.chain.R_E + self.chain.R_I == 0:
            return X
        weights, repeats = self._poisson(part)
        for _ in range(repeats):
            after, total = X, weights[0] * X
            for weight in weights[1:]:
                after = self.chain.one_arrival @ after
                total += weight * after
            X = total
        return X

    def lived(self, part=1.0):
        """Of the arrivals in a part of a step: how often v does not cross, and the mean and the
        mean square of the time until it crosses or the part ends.
        """
        rate, n, time = self.chain.R_E + self.chain.R_I, self.chain.v.size, part * self.dt
        if rate == 0:
            return [np.full(n, time**power) for power in range(3)]
        weights, repeats = self._poisson(part)
        more = np.append(np.cumsum(weights[::-1])[-2::-1], 0.0)  # more arrivals than k
        first, second, alive = np.zeros(n), np.zeros(n), np.ones(n)
        for k in range(len(weights) - 1):
            first += more[k] / rate * alive
            second += 2 * (k + 1) * more[k + 1] / rate**2 * alive
            alive = self.chain.one_arrival @ alive
        piece, mean, square = part / repeats, first, second
        for _ in range(repeats - 1):
            square = second + self.arrive(2 * piece * self.dt * mean + square, piece)
            mean = first + self.arrive(mean, piece)
        return [self.arrive(np.ones(n), part), mean, square]

    def crossings(self, lived, power, begins, time):
        """The mean of a power of the time of a crossing by an arrival, counted from `begins` before
        arrivals that last for a time; 0 where there is none.
        """
        alive, mean, square = lived
        died, when, when2 = 1 - alive, mean - time * alive, square - time**2 * alive
        return (
            begins * died + when if power == 1 else (begins**2 * died + 2 * begins * when + when2)
        )

    def time(self):
        """Time to the threshold, s, at the nodes."""
        return self.solve(self.step(np.full(self.chain.v.size, self.dt), 1))

    def rest(self, T):
        """Its second moment, and the sums of 1, v and v² over the ends of steps, times dt."""
        squares = self.step(self.dt**2 + 2 * self.dt * T, 2)
        return [self.solve(squares), *(self.solve(self.step(x)) for x in self.seen)]

    @property
    def rate(self):
        """Firing rate, Hz."""
        interval, *_ = self.from_reset(self.time())
        return 1 / interval if interval > 0 else np.inf

    @property
    def moments(self):
        """Of interval and voltage."""
        T = self.time()
        interval, T, T2, seen, first, second = self.from_reset(T, *self.rest(T))
        return self.chain.moments(interval, T, T2, first, second, seen)


class KernelStepped(Stepped):
    """The compiled kernel (``cpp/instantaneous.h``).

    A step has two halves, and each half of its leak, its arrivals, and the other half. Crossings
    have a time within the step, and neurons wake up at any time within one; what is left of it they
    take in one piece. There is one spike a step: the second one waits.
    """

    def __init__(self, chain, dt):
        super().__init__(chain, dt)
        self._quarter, self._half = _Leak(chain, self.dt / 4), _Leak(chain, self.dt / 2)
        self._lived_half = self.lived(0.5)

    def step(self, X, power=None):
        half = self.dt / 2
        X = self._quarter(X, power, 3 * half / 2)
        for leak, begins in ((self._half, half / 2), (self._quarter, 0.0)):
            X = self.arrive(X, 0.5)
            if power is not None:
                X += self.crossings(
                    self._lived_half, power, half if leak is self._half else 0.0, half
                )
            X = leak(X, power, begins)
        return X

    def from_reset(self, *functions):
        early = min(self.chain.tau_rp / self.dt, 1.0)
        # woken up at any time of a step; in the one of the spike if it is early in that
        anywhere, _, _ = self._woken(functions, _NODES, _WEIGHTS)
        if early == 1:
            return self.chain.tau_rp + anywhere[0], *anywhere
        nodes, weights = early + (1 - early) * _NODES, (1 - early) * _WEIGHTS
        _, waits, again = self._woken(functions[:2], nodes, weights)
        anywhere[: len(waits)] += waits
        if again > 0:
            # the spike that waited comes when a step begins, and its neuron wakes up τ_rp later
            late, waits, further = self._woken(functions, [early], [1.0])
            late[: len(waits)] += waits
            share = again / (1 + again - further)
            anywhere = (1 - share) * anywhere + share * late
        return self.chain.tau_rp + anywhere[0], *anywhere

    def _woken(self, functions, phases, weights):
        """Functions of a neuron that wakes up at times of a step, averaged; what a spike in the
        same step that waits for the next one adds to time and square, and how often there is one.
        """
        total, waits, again = np.zeros(len(functions)), np.zeros(len(functions[:2])), 0.0
        reset = self.chain.reset
        for phase, weight in zip(phases, weights, strict=True):
            left = 1 - phase
            leak, lived, time = (
                _Leak(self.chain, left * self.dt / 2),
                self.lived(left),
                left * self.dt,
            )

            def piece(X, power=None, leak=leak, lived=lived, left=left, time=time):
                X = self.arrive(leak(X, power, time / 2), left)
                if power is not None:
                    X = X + self.crossings(lived, power, 0.0, time)
                return self.chain.at(leak(X, power), reset)

            then = [functions[0] + time]
            if len(functions) > 1:
                then.append(time**2 + 2 * time * functions[0] + functions[1])
            for k, X in enumerate(then):
                total[k] += weight * piece(X, k + 1)
            for k, X in enumerate(functions[2:]):
                total[k + 2] += weight * piece(X + self.seen[k])
            alive = min(max(piece(np.ones(self.chain.v.size)), 0.0), 1.0)
            again += weight * (1 - alive)
            for k in range(len(waits)):
                dead = piece(np.zeros(self.chain.v.size), k + 1)
                waits[k] += weight * ((1 - alive) * time ** (k + 1) - dead)
        return total, waits, again


class UpdatedStepped(Stepped):
    """Neurons that Brian2 updates (:mod:`cbnet.simulation.brian.arrivals`).

    The leak of a step acts when it begins, as if that were its middle: v runs ahead of the time by
    up to half a step, then lags behind it. A crossing by an arrival counts as in the middle of its
    step, one by the leak is where it is. Neurons wake up when a step begins, with half of its leak,
    and are held for a random whole number of steps with the right mean, but for at least one.
    """

    def __init__(self, chain, dt):
        super().__init__(chain, dt)
        self._leak, self._half = _Leak(chain, self.dt), _Leak(chain, self.dt / 2)
        # seen half a step of the leak later, unless that has crossed
        self.seen = [(1 - self._half.crossed) * x for x in self.seen]
        alive = self.arrive(np.ones(chain.v.size))
        self._lived = [alive] + [
            alive * self.dt**k + (1 - alive) * (self.dt / 2) ** k for k in (1, 2)
        ]

    def shown(self, v):
        return self.chain.flow(v, self.dt / 2)[0]

    def step(self, X, power=None):
        return self._after(self._leak, X, power, -self.dt / 2)

    def _after(self, leak, X, power, begins=0.0):
        X = self.arrive(X)
        if power is not None:
            X = X + self.crossings(self._lived, power, 0.0, self.dt)
        return leak(X, power, begins)

    def from_reset(self, *functions):
        reset, dt = self.chain.reset, self.dt
        then = [functions[0] + dt]
        if len(functions) > 1:
            then.append(dt**2 + 2 * dt * functions[0] + functions[1])
        found = [
            self.chain.at(self._after(self._half, X, power), reset)
            for power, X in enumerate(then, 1)
        ]
        for X, seen in zip(functions[2:], self.seen, strict=False):
            # half of the neurons that wake up are seen before anything happens
            then = self._after(self._half, X + seen, None)
            found.append(self.chain.at(then, reset) + self.chain.at(seen, reset) / 2)
        return self.chain.tau_rp + found[0] + self._held_too_long() * dt, *found

    def _held_too_long(self):
        """Steps, because a neuron is held for one at least."""
        steps = self.chain.tau_rp / self.dt
        by_arrival = max(0.5 - steps, 0.0)
        if steps >= 1.5 or self.chain.f(self.chain.threshold) <= 0:
            return by_arrival
        share = self.chain.at(self.solve(self._leak.crossed), self.chain.reset)
        # the same on average over a crossing up to half a step before or after its step begins
        by_leak = (max(1.5 - steps, 0.0) ** 2 - max(0.5 - steps, 0.0) ** 2) / 2
        return share * by_leak + (1 - share) * by_arrival


def stepped(chain, dt, compiled):
    """A neuron in steps: the compiled kernel's where the strings allow it, or Brian2's."""
    fused = compiled and chain.diffusion.affine_leak and chain.diffusion.affine_jumps
    return (KernelStepped if fused else UpdatedStepped)(chain, dt)
