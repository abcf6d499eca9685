"""What a network is made of: populations, projections, inputs, currents, and rows of arrivals.

They are given with units. A :class:`cbnet.Network` holds copies in SI units, which say so
(`resolved`), and may be given to another network.
"""

from dataclasses import dataclass, field

from .wirings import FixedIn


@dataclass(frozen=True)
class Population:
    """Neurons that are alike.

    Parameters
    ----------
    name : str
        An identifier.
    neuron : Neuron
    size : int, optional
        How many; theory alone needs no size.
    values : dict, optional
        Of the neuron's parameters where they are not its defaults: a quantity, an array of shape
        (size,), or a law such as ``Normal(20*ms, cv=0.1)``.
    initial : optional
        Where v starts: a quantity, an array or a law, or a dict of them by variable. Left out, v is
        uniform between reset and threshold.
    """

    name: str
    neuron: object
    size: int | None = None
    values: dict = field(default_factory=dict)
    initial: object = None
    resolved: bool = field(default=False, repr=False)


@dataclass(frozen=True)
class Projection:
    """Synapses of one kind from one population to one.

    Parameters
    ----------
    source, target : str
        Populations.
    kind : str
        Of the target neuron's synapses.
    number : float, optional
        The mean in-degree, or
    probability : float, optional
        the share of the source population that a neuron receives from, or
    pair_probability : float, optional
        the probability C that a pair has at least one synapse where pairs are drawn with
        replacement: ln(1 − C)/ln(1 − 1/(N_s N_t)) synapses in all (Potjans & Diesmann 2014).
    w : optional
        Efficacy, at least 0: in the unit that the string of the kind needs, or a law.
    delay : optional
        A time, or a law. A spike arrives in the next step at the earliest.
    wiring : FixedIn, Bernoulli, GaussianIn, FixedTotal or Explicit, optional

    Notes
    -----
    In a network, `number` holds the mean in-degree however it was given, and `total` the number of
    synapses, if the size of the target is known.
    """

    source: str
    target: str
    kind: str
    number: float | None = None
    w: object = None
    delay: object = "0 ms"
    wiring: object = FixedIn()
    probability: float | None = field(default=None, kw_only=True)
    pair_probability: float | None = field(default=None, kw_only=True)
    total: int | None = field(default=None, kw_only=True, repr=False)
    resolved: bool = field(default=False, kw_only=True, repr=False)

    @property
    def place(self):
        """How messages and addresses name it."""
        return f"{self.source}->{self.target}"


@dataclass(frozen=True)
class Input:
    """Independent trains from outside onto every neuron of a population, Poisson unless said.

    Parameters
    ----------
    name : str
        An identifier; inputs of one name may have several targets.
    target, kind : str
    number : float
        Of trains at each neuron; their mean, where the wiring says that it differs.
    w : optional
        As of a projection.
    rate : Quantity
        Of each train.
    wiring : FixedIn, Bernoulli, GaussianIn or FixedTotal, optional
    until : Quantity, optional
        When they stop.
    one_a_step : bool
        Whether a train has at most one spike in a time step, as those of Brian2's ``PoissonGroup``:
        some published networks are defined so. The step is then part of the network: its trains
        have 1 − rate·dt of the noise of Poisson trains.
    """

    name: str
    target: str
    kind: str
    number: float = 1
    w: object = None
    rate: object = None
    wiring: object = FixedIn()
    until: object = None
    one_a_step: bool = False
    resolved: bool = field(default=False, kw_only=True, repr=False)

    @property
    def place(self):
        """How messages and addresses name it."""
        return f"{self.name}->{self.target}"


@dataclass(frozen=True)
class Current:
    """A constant that is added to dv/dt of a population.

    Parameters
    ----------
    name, target : str
    value : Quantity
        In units of dv/dt: a current over the membrane capacitance, as ``"0.5 mV/ms"``.
    """

    name: str
    target: str
    value: object
    resolved: bool = field(default=False, repr=False)

    @property
    def place(self):
        """How messages and addresses name it."""
        return f"{self.name}->{self.target}"


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
