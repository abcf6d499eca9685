"""The network of E and I that parameters say."""

from ..errors import ParameterError
from .distributions import Uniform
from .links import Input, Population, Projection
from .neuron import of_model
from .parameters import POPULATIONS
from .si import SI
from .wirings import Bernoulli, FixedIn, GaussianIn


def parts(params, N, fraction_excitatory):
    """Populations, projections and inputs in SI units."""
    sizes = dict.fromkeys(POPULATIONS)
    if N is not None:
        sizes["E"] = round(fraction_excitatory * N)
        sizes["I"] = N - sizes["E"]
    populations, projections, inputs = [], [], []
    for target in POPULATIONS:
        values = params.resolve(target)
        neuron, w = of_model(params.model, values)
        own = {n: values[n] for n in neuron.parameters}
        populations.append(Population(target, neuron, sizes[target], own, resolved=True))
        wiring = _wiring(values)
        delay = Uniform(SI(values["D_min"], "s"), SI(values["D_max"], "s"))
        numbers = {"E": values["K"], "I": values["gamma"] * values["K"]}
        for source in POPULATIONS:
            total = sizes[target] and round(numbers[source] * sizes[target])
            projections.append(
                Projection(source, target, source, numbers[source], w.get(source), delay,
                           wiring, total=total, resolved=True)
            )  # fmt: skip
        inputs.append(
            Input("external", target, "E", numbers["E"], w.get("E"), values["nu_X"], wiring,
                  resolved=True)
        )  # fmt: skip
    return populations, projections, inputs


def _wiring(values):
    laws = {"fixed": FixedIn(), "bernoulli": Bernoulli(), "gaussian": GaussianIn(values["CV_K"])}
    if values["law"] not in laws:
        raise ParameterError(
            f"law: got {values['law']!r}; expected one of {', '.join(laws)} in Network.ei"
        )
    return laws[values["law"]]
