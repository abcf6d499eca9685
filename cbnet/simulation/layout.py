"""How many neurons and synapses a network has, and whether this machine can hold it."""

import os
from dataclasses import dataclass

from ..errors import ParameterError
from ..parameters import POPULATIONS

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
    if isinstance(N, bool) or int(N) != N or N < 2:
        raise ParameterError(f"N: got {N}; expected a whole number of at least 2")
    if not 0 < fraction_excitatory < 1:
        raise ParameterError(
            f"fraction_excitatory: got {fraction_excitatory:g}; expected a number between 0 and 1"
        )
    N = int(N)
    N_E = round(fraction_excitatory * N)
    sizes = {"E": N_E, "I": N - N_E}
    in_degree = {}
    for target in POPULATIONS:
        values = params.resolve(target)
        in_degree["E", target] = values["K"]
        in_degree["I", target] = _whole_inhibitory(values["gamma"], values["K"])
    for (source, target), k in in_degree.items():
        if sizes[source] <= k:
            name = "K" if source == "E" else "γK"
            share = fraction_excitatory if source == "E" else 1 - fraction_excitatory
            raise ParameterError(
                f"N: got {N}, with {sizes[source]} {source} neurons; expected more than "
                f"{name} = {k} from {source} to {target}: take N above {int(k / share) + 1}"
            )
    found = Layout(N_E, N - N_E, in_degree)
    available = available_memory() if memory is None else memory
    if found.bytes > available:
        raise ParameterError(
            f"N: got {N} with {found.synapses:.3g} synapses, which take about "
            f"{found.bytes / 1e9:.3g} GB; expected at most the {available / 1e9:.3g} GB available: "
            "take a smaller N or K"
        )
    return found


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
