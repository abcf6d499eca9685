"""How many neurons and synapses a network has, and which projections connect them."""

from dataclasses import dataclass, field, replace

import numpy as np

from ...errors import ParameterError
from ...model.entry import Entry
from ...model.parameters import POPULATIONS, require

_MOST_NEURONS = 1e12
NAMES = {"E": "excitation", "I": "inhibition"}


@dataclass(frozen=True)
class Layout:
    """Sizes of a network of one excitatory and one inhibitory population.

    Attributes
    ----------
    N_E, N_I : int
        Neurons; the excitatory ones come first.
    in_degree : dict
        Mean in-degree by (source, target), such as ``("I", "E")``.
    """

    N_E: int
    N_I: int
    in_degree: dict

    @property
    def names(self):
        """Of the populations."""
        return POPULATIONS

    @property
    def N(self):
        """All neurons."""
        return self.N_E + self.N_I

    def size(self, population):
        """Neurons of one population."""
        return self.N_E if population == "E" else self.N_I

    def span(self, population):
        """First index of a population, and the index after its last; of all neurons for None."""
        if population is None:
            return 0, self.N
        return (0, self.N_E) if population == "E" else (self.N_E, self.N)

    @property
    def synapses(self):
        """Recurrent synapses, of all projections, on average."""
        return sum(k * self.size(target) for (_, target), k in self.in_degree.items())

    def of_graph(self, graph):
        """The same sizes with the mean in-degrees of explicit synapses, rounded up."""
        in_degree = {}
        for source, (_, targets, _) in graph.items():
            excitatory = int(np.count_nonzero(targets < self.N_E))
            for target, count in (("E", excitatory), ("I", len(targets) - excitatory)):
                in_degree[source, target] = -(-count // self.size(target))
        return replace(self, in_degree=in_degree)


@dataclass(frozen=True)
class Wires:
    """How populations are connected, and from which seeds.

    Attributes
    ----------
    storage : str
        See :class:`cbnet.simulation.brian.projection.Projection`; ``"synapses"`` for Brian2's own,
        ``"none"`` for neurons that are not connected.
    external : dict of str to ndarray
        By name of the input, the number of trains into each of its neurons.
    graph : dict of str to tuple, optional
        Explicit synapses by source population: source, target (in the whole network) and delay in
        steps.
    graph_seeds : dict of str to int
        By name of the projection.
    drive_seeds : dict of str to int
        By name of the input.
    order_seed : int
        Of the order of arrivals.
    synapse_seed : int
        Of the graph of Brian2's own Synapses; below 2^32.
    """

    storage: str
    external: dict = field(default_factory=dict)
    graph: dict | None = None
    graph_seeds: dict = field(default_factory=dict)
    drive_seeds: dict = field(default_factory=dict)
    order_seed: int = 0
    synapse_seed: int = 0

    @property
    def connected(self):
        """Whether there are recurrent synapses."""
        return self.storage != "none"


@dataclass(frozen=True)
class Input:
    """External trains into a population: what Drive objects are made of.

    Attributes
    ----------
    name : str
        Of the object.
    kind : {"E", "I"}
        Which arrivals they are.
    target : str or None
        Population; None for both.
    number, rate : str
        Parameters that tell how many trains a neuron has, on average, and their rate; γK trains are
        ``"gamma*K"``.
    """

    name: str
    kind: str
    target: str | None
    number: str
    rate: str

    def mean_number(self, values):
        """Trains into a neuron, from resolved parameters."""
        return values["K"] * (values["gamma"] if self.number == "gamma*K" else 1)


def inputs(params, connected):
    """External input: of a network, or of neurons that have nothing else."""
    kinds = [("drive", "E", "K", "nu_X")]
    if not connected:
        kinds = [("drive", "E", "K", "r_E"), ("inhibitory_drive", "I", "gamma*K", "r_I")]
    return [
        Input(name + (f"_{target}" if target else ""), kind, target, number, rate)
        for name, kind, number, rate in kinds
        for target in (POPULATIONS if rate in params.differing() else (None,))
    ]


def projections(params, connected=True):
    """The projections of a network: name, source population, target population or None for both.

    Populations whose in-degrees and delays are alike are one target.
    """
    if not connected:
        return []
    excitatory, inhibitory = (params.resolve(p) for p in POPULATIONS)
    shared = ("K", "gamma", "law", "CV_K", "D_min", "D_max")
    alike = all(excitatory[name] == inhibitory[name] for name in shared)
    targets = (None,) if alike or excitatory["law"] == "explicit" else POPULATIONS
    return [
        (NAMES[source] + (f"_{target}" if target else ""), source, target)
        for source in POPULATIONS
        for target in targets
    ]


def layout(params, N, fraction_excitatory=0.8, connected=True):
    """Sizes of the network, checked before anything is allocated.

    Parameters
    ----------
    params : Parameters
        K, gamma and the in-degree law.
    N : int
        Neurons of both kinds.
    fraction_excitatory : float
        Share of excitatory neurons.
    connected : bool
        Whether there are recurrent synapses.

    Returns
    -------
    Layout
        Without in-degrees where the graph is explicit (see :meth:`Layout.of_graph`).

    Raises
    ------
    ParameterError
        If γK is not whole, or a population cannot supply its in-degree without multapses and
        autapses.
    """
    require(params)
    N = Entry("N", 0, integer=True, at_least=2).parse(N, "N")
    share = Entry("fraction_excitatory", 0, above=0).parse(
        fraction_excitatory, "fraction_excitatory"
    )
    if share >= 1:
        raise ParameterError(
            f"fraction_excitatory: got {share:g}; expected a number between 0 and 1"
        )
    sizes = _populations(N, share)
    if not connected or {params.resolve(p)["law"] for p in POPULATIONS} == {"explicit"}:
        if not all(sizes.values()):
            raise ParameterError(
                f"fraction_excitatory: got {share:g} of N = {N} neurons, which leaves "
                f"{sizes['E']} E and {sizes['I']} I; expected at least one of each"
            )
        return Layout(sizes["E"], sizes["I"], {})
    in_degree = {}
    for target in POPULATIONS:
        values = params.resolve(target)
        in_degree["E", target] = values["K"]
        in_degree["I", target] = _whole_inhibitory(values["gamma"], values["K"])
    for (source, target), k in in_degree.items():
        if sizes[source] <= k:
            name = "K" if source == "E" else "γK"
            raise ParameterError(
                f"N: got {N}, with {sizes[source]} {source} neurons; expected more than "
                f"{name} = {k} from {source} to {target}: take N above "
                f"{_most_too_few(in_degree, share)}"
            )
    return Layout(sizes["E"], sizes["I"], in_degree)


def _populations(N, share):
    N_E = round(share * N)
    return {"E": N_E, "I": N - N_E}


def _most_too_few(in_degree, share):
    """The largest N that cannot supply the in-degrees."""
    # each population grows by steps of one, so that rounding matters within a few neurons
    shares = {"E": share, "I": 1 - share}
    most = max(k / shares[source] for (source, _), k in in_degree.items())
    if not most < _MOST_NEURONS:
        raise ParameterError(
            f"fraction_excitatory: got {share:g}, with which only more than {_MOST_NEURONS:.0e} "
            "neurons would supply the in-degrees; expected a larger share of the smaller population"
        )
    too_few, enough = 0, int(most + 2 / min(shares.values()))
    while not _supplies(enough, share, in_degree):
        too_few, enough = enough, 2 * enough
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if _supplies(middle, share, in_degree):
            enough = middle
        else:
            too_few = middle
    return too_few


def _supplies(N, share, in_degree):
    sizes = _populations(N, share)
    return all(sizes[source] > k for (source, _), k in in_degree.items())


def _whole_inhibitory(gamma, K):
    inhibitory = gamma * K
    if abs(inhibitory - round(inhibitory)) < 1e-9 * inhibitory:
        return round(inhibitory)
    for distance in range(1, 10_000):
        for near in (K - distance, K + distance):
            if near > 0 and abs(gamma * near - round(gamma * near)) < 1e-9 * near:
                raise ParameterError(
                    f"K: got {K} with gamma = {gamma:g}, so gamma*K = {inhibitory:g}; expected a "
                    f"whole number of inhibitory inputs: take K={near}"
                )
    raise ParameterError(
        f"gamma: got {gamma:g} with K = {K}; expected gamma*K to be a whole number"
    )
