"""A neuron of a population of a network, with arrivals of any kinds and efficacies."""

import copy
import dataclasses
from collections.abc import Callable

import numpy as np

from ...errors import ParameterError
from ...model import reduced
from . import treatments
from .colored.filtered_membrane import Membrane
from .colored.slots import slots_of
from .jumps.jump_process import along
from .poisson_driven import PoissonDriven

_STEP = 0.1  # of the way from reset to threshold: jumps that stand in for any


@dataclasses.dataclass(frozen=True)
class ArrivalClass:
    """Arrivals of one kind and efficacy.

    Attributes
    ----------
    kind : str
    w : float or None
        Efficacy, SI.
    h : callable
        v → by how much one arrival moves v (V), to first order in its charge if it is filtered.
    drift, slope : callable
        v → what one arrival a second adds to the drift A (V), and the derivative of that.
    tau : float
        Of its synapses, s; zero for those that move v at once.
    """

    kind: str
    w: float | None
    h: Callable
    drift: Callable
    slope: Callable
    tau: float


@dataclasses.dataclass(frozen=True)
class ClassMembrane:
    """Leak and arrivals of a membrane.

    Attributes
    ----------
    leak, leak_slope : callable
        f(v) with the currents from outside (V/s), and its derivative (1/s).
    classes : tuple of ArrivalClass
    """

    leak: Callable
    leak_slope: Callable
    classes: tuple


class PopulationNeuron(PoissonDriven):
    """A neuron of one population of a network.

    Its inputs are one array R of arrivals per second, of shape (rows, classes).

    Parameters
    ----------
    net : Network
    name : str
        Of the population.
    noise : str, optional
        How fluctuations are treated: a name of :data:`treatments.METHODS`; if none is given, that
        which is right for the synapses at which anything arrives.

    Attributes
    ----------
    classes : list of (str, float or None)
        Kind and efficacy (SI), in the order of ``net.total(name, ...)``.
    taus : list of float
        Synaptic time constant of each class, s; zero for those that move v at once.
    membrane : ClassMembrane
    reduced : Reduced

    Raises
    ------
    ParameterError
        For values and efficacies that differ among neurons or synapses.
    ModelError
        If the strings do not reduce to one dimension.
    """

    def __init__(self, net, name, noise=None):
        self.name, neuron = name, net[name].neuron
        _check_efficacies(net, name)
        self.values = _numbers(net.values(name), name)
        self.reduced = reduced.of_neuron(neuron, self.values, name)
        self.tau_rp = self.values["tau_rp"]
        self.threshold, self.reset = (
            float(self.reduced.function(end, self.values)(0.0)) for end in ("threshold", "reset")
        )
        self.affine = self.reduced.affine_leak and self.reduced.affine_jumps
        self.classes = list(net.total(name, np.zeros(len(net.names))))
        found = self.reduced.time_constants(self.values)
        self.taus = [found[kind] for kind, _ in self.classes]
        noise = treatments.right_for(self.filtered) if noise is None else noise
        self.method = treatments.named(noise)
        self.noise = self.method.name
        self.membrane = ClassMembrane(
            *_leak(self.reduced, self.values, net.drive(name)),
            tuple(self._class(neuron, *each) for each in zip(self.classes, self.taus, strict=True)),
        )

    def _class(self, neuron, each, tau):
        kind, w = each
        functions = [
            self.reduced.function(f"{name}_{kind}", self.of_class(neuron.synapses[kind], w))
            for name in ("jump", "drift", "slope")
        ]
        return ArrivalClass(kind, w, *functions, tau)

    def of_class(self, synapse, w):
        """Values with the efficacy of a class."""
        return self.values | ({synapse.efficacy: w} if synapse.efficacy else {})

    def drift(self, R, rows=slice(None)):
        """A(v) of some rows of the inputs, V/s."""
        return self._summed(R, rows, self.membrane.leak, [c.drift for c in self.membrane.classes])

    def slope(self, R, rows=slice(None)):
        """Its derivative, 1/s."""
        effects = [c.slope for c in self.membrane.classes]
        return self._summed(R, rows, self.membrane.leak_slope, effects)

    def squared_noise(self, R, rows=slice(None)):
        """B²(v) of some rows of the inputs, V²/s."""
        effects = [_squared(c.h) for c in self.membrane.classes]
        return self._summed(R, rows, np.zeros_like, effects)

    def _summed(self, R, rows, leak, effects):
        columns = R[rows].T[..., None]

        def total(v):
            return sum((r * h(v) for r, h in zip(columns, effects, strict=True)), leak(v))

        return total

    def jump_fields(self, R):
        """Leak, jumps, rates, whether all are straight, and the leading excitation, by row."""
        straight = self.affine
        jumps = [c.h if c.tau == 0 else along(c.h, straight) for c in self.membrane.classes]
        width, theta = self.threshold - self.reset, np.array([self.threshold])
        sizes = np.array([float(h(theta)[0]) for h in jumps])
        if not np.any(sizes > 0):  # excitation that never arrives: grids are aligned to some
            step = float(np.abs(sizes).max(initial=0.0)) or _STEP * width
            jumps, sizes = [*jumps, lambda v: step + 0 * v], np.append(sizes, step)
        for row in R:
            rates = np.append(row, np.zeros(sizes.size - row.size))
            lead = int(np.argmax(np.where(sizes > 0, rates * sizes, -1.0)))
            some = [k for k in range(sizes.size) if rates[k] > 0 or k == lead]
            chosen = tuple(jumps[k] for k in some), tuple(float(rates[k]) for k in some)
            yield self.membrane.leak, *chosen, straight, some.index(lead)

    @property
    def filtered(self):
        """Whether any arrivals reach v through a variable that decays."""
        return any(tau > 0 for tau in self.taus)

    @property
    def time_constants(self):
        """Of the synapses at which anything arrives, by kind, s; zero for those that move v."""
        return {kind: tau for (kind, _), tau in zip(self.classes, self.taus, strict=True)}

    def filtered_membrane(self, R, row=0, most=2):
        """The membrane and its synaptic variables, at most so many, under one row of inputs."""
        ends, classes = (self.reset, self.threshold), self.membrane.classes
        most = len(classes) if most is None else most
        rates, jumps, taus = slots_of(classes, R[row], ends, self.name, most)
        return Membrane(
            self.membrane.leak, jumps, rates, taus, self.threshold, self.reset, self.tau_rp
        )

    def restricted(self, rows):
        """This neuron for some rows of its inputs."""
        return copy.copy(self)

    def passage(self, R, rtol=None, cv=True, moments=False):
        """First-passage statistics for arrays of arrivals: a Passage.

        Parameters
        ----------
        R : ndarray, shape (rows, classes)
            Arrivals of each class per second.
        rtol, cv, moments
            As of :attr:`treatments.Method.passage`.

        Raises
        ------
        ConvergenceError
            With the best Passage.
        ParameterError
            If the drift at the threshold is no finite number.
        """
        return self.answer((np.asarray(R, float),), rtol, cv, moments)


def _numbers(values, name):
    """Values of a population, each a number."""
    for key, value in values.items():
        if not isinstance(value, (int, float)):
            raise ParameterError(
                f"{name}.{key}: got {_shown(value)}; expected one value: the theory takes "
                "identical neurons; give a population of its own to each value"
            )
    return values


def _check_efficacies(net, name):
    for link in (*net.projections, *net.inputs):
        if link.target == name and getattr(link, "one_a_step", False):
            raise ParameterError(
                f"{link.place}.one_a_step: got trains with at most one spike a step; expected "
                "Poisson trains: the theory has no steps"
            )
        if link.target == name and not (link.w is None or isinstance(link.w, (int, float))):
            raise ParameterError(
                f"{link.place}.w: got {_shown(link.w)}; expected one value: the theory takes equal "
                "synapses of a projection; give their mean, or several projections"
            )


def _shown(value):
    return f"{value.size} values" if isinstance(value, np.ndarray) else repr(value)


def _leak(reduced, values, drive):
    leak, slope = reduced.function("leak", values), reduced.function("dleak", values)
    return (leak if drive == 0 else lambda v: leak(v) + drive), slope


def _squared(h):
    return lambda v: h(v) ** 2
