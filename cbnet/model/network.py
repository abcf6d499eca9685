"""A network, resolved once: populations, who projects to whom, what comes from outside (SI)."""

from dataclasses import dataclass, field

from ..errors import ParameterError
from .distributions import Uniform
from .neuron import Neuron, of_model
from .parameters import POPULATIONS
from .wirings import Bernoulli, FixedIn, GaussianIn


@dataclass(frozen=True)
class Population:
    """Neurons that are alike: a neuron, how many, and its values in SI."""

    name: str
    neuron: Neuron
    size: int | None = None
    values: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Projection:
    """Synapses of one kind: `number` is the mean in-degree, `delay` in s (a number or a law)."""

    source: str
    target: str
    kind: str
    number: float
    w: object
    delay: object
    wiring: object = FixedIn()


@dataclass(frozen=True)
class Input:
    """`number` independent Poisson trains of `rate` (Hz) onto every neuron of `target`."""

    name: str
    target: str
    kind: str
    number: float
    w: object
    rate: float
    wiring: object = FixedIn()


@dataclass(frozen=True)
class Arrival:
    """Trains of one origin at one population: `number` of them, each of `rate` (Hz)."""

    target: str
    origin: str
    kind: str
    w: object
    number: float
    spread: float
    rate: object
    delay: object

    @property
    def total(self):
        """Arrivals per second at one neuron."""
        return self.number * self.rate


class Network:
    """Populations, projections and inputs, checked; values in SI."""

    def __init__(self, populations, projections=(), inputs=()):
        self.populations = tuple(populations)
        self.projections = tuple(projections)
        self.inputs = tuple(inputs)
        self.names = tuple(p.name for p in self.populations)
        self._by_name = {p.name: p for p in self.populations}
        self.sizes = {p.name: p.size for p in self.populations}
        if len(self._by_name) < len(self.names):
            raise ParameterError(f"populations: got {self.names}; expected different names")
        for p in self.projections:
            self._check(p, f"{p.source}->{p.target}", p.source, p.target)
        for p in self.inputs:
            self._check(p, f"{p.name}->{p.target}", p.target)

    def _check(self, link, place, *populations):
        for name in populations:
            if name not in self._by_name:
                raise ParameterError(
                    f"{place}: got the population {name!r}; expected one of {', '.join(self.names)}"
                )
        kinds = self._by_name[link.target].neuron.synapses
        if link.kind not in kinds:
            raise ParameterError(
                f"{place}: got the kind {link.kind!r}; expected one of {', '.join(kinds)}, for "
                "which the neuron has a string"
            )

    def __getitem__(self, name):
        return self._by_name[name]

    def values(self, name):
        """Values of the neuron's parameters in SI, by name."""
        return dict(self._by_name[name].values)

    def arrivals(self, rates):
        """Every row of arrivals at these rates (Hz), by name or in the order of `names`."""
        if not hasattr(rates, "keys"):
            rates = dict(zip(self.names, rates, strict=True))
        recurrent = [
            Arrival(p.target, p.source, p.kind, p.w, p.number, self._spread(p), rates[p.source],
                    p.delay)
            for p in self.projections
        ]  # fmt: skip
        external = [
            Arrival(p.target, p.name, p.kind, p.w, p.number, p.wiring.spread(p.number), p.rate, 0.0)
            for p in self.inputs
        ]
        return (*recurrent, *external)

    def _spread(self, p):
        return p.wiring.spread(p.number, self.sizes[p.source], self.sizes[p.target])

    def total(self, name, rates):
        """Arrivals per second at one neuron of a population, by (kind, w)."""
        found = {}
        for row in self.arrivals(rates):
            if row.target == name:
                key = (row.kind, row.w)
                found[key] = found.get(key, 0.0) + row.total
        return found

    @property
    def distinct(self):
        """(names of representatives, index of the representative of each population).

        Populations share one if their rates must be equal in every state: the same neuron and
        values, and the same arrivals of the same origins, or of origins of which that is known.
        """
        group = {name: name for name in self.names}
        while True:
            first, found = {}, {}
            for p in self.populations:
                key = (repr(p.neuron), tuple(p.values.items()), self._signature(p.name, group))
                found[p.name] = first.setdefault(key, p.name)
            if found == group:
                representatives = tuple(first.values())
                return representatives, tuple(representatives.index(group[n]) for n in self.names)
            group = found

    def _signature(self, name, group):
        numbers = {}
        for p in self.projections:
            if p.target == name:
                key = (group[p.source], p.kind, p.w, p.delay, p.wiring, self._spread(p))
                numbers[key] = numbers.get(key, 0.0) + p.number
        for p in self.inputs:
            if p.target == name:
                key = (None, p.kind, p.w, p.rate, p.wiring, 0.0)
                numbers[key] = numbers.get(key, 0.0) + p.number
        return frozenset(numbers.items())

    @classmethod
    def ei(cls, params, N=None, fraction_excitatory=0.8):
        """The network of E and I that `params` say."""
        sizes = dict.fromkeys(POPULATIONS)
        if N is not None:
            sizes["E"] = round(fraction_excitatory * N)
            sizes["I"] = N - sizes["E"]
        populations, projections, inputs = [], [], []
        for target in POPULATIONS:
            values = params.resolve(target)
            neuron, w = of_model(params.model, values)
            own = {n: values[n] for n in neuron.parameters}
            populations.append(Population(target, neuron, sizes[target], own))
            wiring = _wiring(values)
            delay = Uniform(values["D_min"], values["D_max"])
            numbers = {"E": values["K"], "I": values["gamma"] * values["K"]}
            for source in POPULATIONS:
                projections.append(
                    Projection(source, target, source, numbers[source], w.get(source), delay,
                               wiring)
                )  # fmt: skip
            inputs.append(
                Input("external", target, "E", numbers["E"], w.get("E"), values["nu_X"], wiring)
            )
        return cls(populations, projections, inputs)


def _wiring(values):
    laws = {"fixed": FixedIn(), "bernoulli": Bernoulli(), "gaussian": GaussianIn(values["CV_K"])}
    if values["law"] not in laws:
        raise ParameterError(
            f"law: got {values['law']!r}; expected one of {', '.join(laws)} in Network.ei"
        )
    return laws[values["law"]]
