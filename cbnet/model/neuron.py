"""A neuron and its synapses by kind, as the strings that Brian2 simulates."""

import re
from dataclasses import dataclass, field

from ..errors import ModelError
from ..support.expressions import parse
from .model import identifiers


@dataclass(frozen=True)
class Synapse:
    """What a spike of one kind does: `efficacy` is the symbol that a projection's w fills."""

    on_pre: str
    efficacy: str | None = "w"
    equations: str = ""
    on_post: str = ""
    requires: tuple = ()


@dataclass(frozen=True)
class Neuron:
    """Equations in ``v``, and synapses by kind; `parameters` holds an Entry by name."""

    equations: str
    threshold: str = "v > theta"
    reset: str = "v = V_r"
    synapses: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    name: str = ""


def of_model(model, values):
    """The neuron of a model at these values, and the efficacy of each kind in SI (or None).

    What the model calls the efficacy of a kind becomes ``w`` in its statements.
    """
    coupling = model.coupling(values)
    synapses, efficacies = {}, {}
    for kind, text in (("E", coupling.excitatory), ("I", coupling.inhibitory)):
        efficacy = model.efficacies.get(kind)
        symbol = "w" if efficacy else None
        if efficacy:
            pattern = rf"(?<![\w.]){re.escape(efficacy)}\b"
            text, met = re.subn(pattern, "w", text)
            if not met:
                raise ModelError(
                    f"Model.efficacies[{kind!r}]: got {efficacy!r}, which the statement of that "
                    "kind does not name; expected what stands there"
                )
            efficacies[kind] = parse(efficacy)(values)
        rules = tuple(re.sub(pattern, "w", r) for r in coupling.requires if efficacy)
        rules = tuple(r for r in rules if identifiers(r) == {"w"})
        synapses[kind] = Synapse(text, symbol, requires=rules)
    texts = (coupling.equations, *(s.on_pre for s in synapses.values()))
    named = identifiers(*texts, model.threshold, model.reset) | {"tau_rp"}
    parameters = {n: entry for n, entry in model.entries.items() if n in named}
    parameters |= {d.name: model.entry(d.name, d.name) for d in model.derived if d.name in named}
    made = Neuron(
        coupling.equations, model.threshold, model.reset, synapses, parameters, model.name
    )
    return made, efficacies
