"""The network of excitatory and inhibitory neurons that a model's parameters say."""

from cbnet.model.library import load_parameters
from cbnet.model.network import Network


def network(model="conductance", N=10_000, fraction_excitatory=0.8):
    """Populations E and I at the reference values of a model that ships, or of one's own.

    Parameters
    ----------
    model : str or Parameters
    N : int
        Of all neurons.
    fraction_excitatory : float
    """
    return Network.ei(load_parameters(model), N, fraction_excitatory)
