"""How many neurons and synapses a network has, and whether this machine can hold it."""

import os
from dataclasses import dataclass

from ..errors import ParameterError
from ..parameters import POPULATIONS, Entry

# Measured peak of the simulating process: Brian2's indices and delays, the queue's copies of them,
# the arrays they are loaded from, and the spikes under way.
BYTES_PER_SYNAPSE = 64
BYTES_PER_NEURON = 400


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
    def N(self):
        """All neurons."""
        return self.N_E + self.N_I

    def size(self, population):
        """Neurons of one population."""
        return self.N_E if population == "E" else self.N_I

    def span(self, population):
        """First index of a population, and the index after its last."""
        return (0, self.N_E) if population == "E" else (self.N_E, self.N)

    @property
    def synapses(self):
        """Recurrent synapses, of all projections, on average."""
        return sum(k * self.size(target) for (_, target), k in self.in_degree.items())

    @property
    def bytes(self):
        """Estimated peak memory of a simulation."""
        return self.synapses * BYTES_PER_SYNAPSE + self.N * BYTES_PER_NEURON


def layout(params, N, fraction_excitatory=0.8, memory=None):
    """Sizes of the network, checked before anything is allocated.

    Parameters
    ----------
    params : Parameters
        K, gamma and the in-degree law.
    N : int
        Neurons of both kinds.
    fraction_excitatory : float
        Share of excitatory neurons.
    memory : int, optional
        Bytes that may be used; by default what the machine has available.

    Returns
    -------
    Layout

    Raises
    ------
    ParameterError
        If γK is not whole, a population cannot supply its in-degree without multapses and
        autapses, or the network does not fit in memory.
    """
    N = Entry("N", 0, integer=True, at_least=2).parse(N, "N")
    share = Entry("fraction_excitatory", 0, above=0).parse(
        fraction_excitatory, "fraction_excitatory"
    )
    if share >= 1:
        raise ParameterError(
            f"fraction_excitatory: got {share:g}; expected a number between 0 and 1"
        )
    sizes = _populations(N, share)
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
    found = Layout(sizes["E"], sizes["I"], in_degree)
    available = available_memory() if memory is None else memory
    if found.bytes > available:
        raise ParameterError(
            f"N: got {N} with {found.synapses:.3g} synapses, which take about "
            f"{found.bytes / 1e9:.3g} GB; expected at most the {available / 1e9:.3g} GB available: "
            "take a smaller N or K"
        )
    return found


def _populations(N, share):
    N_E = round(share * N)
    return {"E": N_E, "I": N - N_E}


def _most_too_few(in_degree, share):
    """The largest N that cannot supply the in-degrees."""
    # each population grows by steps of one, so that rounding matters within a few neurons
    shares = {"E": share, "I": 1 - share}
    N = max(int(k / shares[source]) for (source, _), k in in_degree.items())
    N += int(2 / min(shares.values()))
    while all(_populations(N, share)[source] > k for (source, _), k in in_degree.items()):
        N -= 1
    return N


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


def available_memory():
    """Bytes of memory that can still be had."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
