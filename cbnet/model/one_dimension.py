"""A membrane in one dimension, as functions of numbers."""

import dataclasses
import functools

import numpy as np

from ..errors import ParameterError
from ..support.expressions import numpy_function


@dataclasses.dataclass(frozen=True)
class Reduced:
    """Drift, noise and jumps of a membrane in one dimension, as functions of v.

    Attributes
    ----------
    sources : dict of str to str
        By name, the text of a Python function of v and `arguments` that uses the names of numpy.
    arguments : dict of str to sequence of str
        By name, the parameters the function needs, total rates ``R_E``, ``R_I`` among them.
    targets : dict of str to str
        The variable that a spike of each kind moves: ``"v"``, or a synaptic variable.
    affine, affine_leak, affine_jumps : bool
        Whether the drift, the leak and the jumps are straight lines in v.
    """

    sources: dict
    arguments: dict
    targets: dict
    affine: bool
    affine_leak: bool
    affine_jumps: bool

    @property
    def filtered_kinds(self):
        """The kinds of spikes that reach v through a synaptic variable."""
        return [kind for kind, target in self.targets.items() if target != "v"]

    @property
    def filtered(self):
        """Whether any synapse has a time constant, which was taken to zero."""
        return bool(self.filtered_kinds)

    @property
    def partly_filtered(self):
        """Whether one kind of synapses has a time constant and the other has none."""
        return 0 < len(self.filtered_kinds) < len(self.targets)

    def time_constants(self, values):
        """Of the synapses, by kind, in s; 0 for those that move v at once.

        Raises
        ------
        ParameterError
            If a synaptic variable does not decay.
        """
        found = {}
        for kind, target in self.targets.items():
            if target == "v":
                found[kind] = 0.0
                continue
            name = f"tau_{kind}"
            given = {n: np.float64(values[n]) for n in self.arguments[name]}
            with np.errstate(all="ignore"):
                found[kind] = float(self.function(name, given)(np.float64(0.0)))
            if not (np.isfinite(found[kind]) and found[kind] > 0):
                how = f"set {' and '.join(given)}" if given else "change the equation"
                raise ParameterError(
                    f"{' and '.join(given) or target}: got a time constant of "
                    f"{found[kind] * 1e3:g} ms for {target!r}; expected one above 0: {how}"
                )
        return found

    def check_ends(self, values, model):
        """Refuse a reset that is not below the threshold."""
        given = {n: values[n] for name in ("reset", "threshold") for n in self.arguments[name]}
        with np.errstate(all="ignore"):
            reset, threshold = (float(self.constant(n, given)) for n in ("reset", "threshold"))
        if not reset < threshold:
            raise ParameterError(
                f"{' and '.join(given) or 'reset'}: got {model.reset!r}, {reset * 1e3:g} mV, and "
                f"{model.threshold!r}, {threshold * 1e3:g} mV; expected the reset below the "
                "threshold"
            )

    @functools.cached_property
    def _functions(self):
        return {name: numpy_function(source) for name, source in self.sources.items()}

    def function(self, name, values):
        """One of the functions with its parameters, in SI units.

        Parameters
        ----------
        name : str
            ``"A"`` (drift, V/s), ``"B2"`` (squared noise, V²/s), ``"leak"`` (V/s), ``"dA"`` and
            ``"dleak"`` (their derivatives with respect to v), ``"threshold"``, ``"reset"`` (V). Of
            a kind, such as E: ``"jump_E"`` (V), ``"drift_E"``, what one arrival a second adds to A,
            and its derivative ``"slope_E"``; if it is filtered ``"charge_E"`` too, the integral of
            what a spike adds to the synaptic variable, and its time constant ``"tau_E"`` in s.
        values : dict of str to float or ndarray
            Parameters, efficacies and, for A and B², total arrival rates ``R_E``, ``R_I``; arrays
            broadcast against v.

        Returns
        -------
        callable
            ``v -> ndarray`` of the broadcast shape.
        """
        compiled = self._functions[name]
        bound = [values[n] for n in self.arguments[name]]

        def evaluate(v):
            return np.asarray(compiled(v, *bound), float) + np.zeros(np.shape(v))

        return evaluate

    def constant(self, name, values):
        """The threshold, the reset, a charge or a time constant: what does not depend on v."""
        shapes = [value.shape for value in values.values() if isinstance(value, np.ndarray)]
        return self.function(name, values)(np.zeros(np.broadcast_shapes(*shapes)))

    def operating_point(self, values):
        """Where the drift holds v, and how fast it pulls.

        Parameters
        ----------
        values : dict of str to float or ndarray
            Parameters and total arrival rates ``R_E``, ``R_I``; arrays broadcast.

        Returns
        -------
        mu, tau : ndarray
            A(μ) = 0 in V, and −1/A'(μ) in s. A straight drift has one root, above threshold or
            not; of a bent one the lowest stable root below threshold is taken. NaN where there is
            none.
        """
        drift, slope = self.function("A", values), self.function("dA", values)
        top, reset = self.constant("threshold", values), self.constant("reset", values)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.affine:
                tau = -1 / slope(top)
                mu = top + drift(top) * tau
                return np.where(tau > 0, mu, np.nan), np.where(tau > 0, tau, np.nan)
            # Excitation alone may pull the root far below the reset: a log-spaced scan sees both.
            depth = (top - reset) * np.append(np.geomspace(200, 1e-4, 400), 0)[
                (...,) + (None,) * np.ndim(top)
            ]
            v = top - depth
            A = np.stack([drift(row) for row in v])
            falls = (A[:-1] > 0) & (A[1:] <= 0)
            first = np.argmax(falls, axis=0)[None]
            low = np.take_along_axis(v, first, 0)[0]
            high = np.take_along_axis(v, first + 1, 0)[0]
            for _ in range(60):
                middle = (low + high) / 2
                rising = drift(middle) > 0
                low, high = np.where(rising, middle, low), np.where(rising, high, middle)
            found = falls.any(axis=0)
            return np.where(found, low, np.nan), np.where(found, -1 / slope(low), np.nan)


def strings_of(model, values):
    """What :func:`cbnet.model.reduction.reduce` takes, of a model at these values."""
    coupling = model.coupling(values)
    kinds = (("E", coupling.excitatory, ()), ("I", coupling.inhibitory, ()))
    return coupling.equations, kinds, model.threshold, model.reset, model.units
