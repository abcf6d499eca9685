"""cbnet: strongly coupled networks of spiking neurons, simulated and solved from the same strings.

The public names are imported when first used: importing Brian2 takes seconds, and reading a
parameter table should not.
"""

import importlib
import importlib.util
from pathlib import Path

__version__ = "0.2.0"

_LAWS = ("Uniform", "Normal", "LogNormal", "Exponential")
_WIRINGS = ("FixedIn", "Bernoulli", "GaussianIn", "FixedTotal", "Explicit")
_PARTS = ("Network", "Population", "Projection", "Input", "Current")

_PUBLIC = {
    "Coupling": "model",
    "Derived": "model",
    "Entry": "model",
    "Model": "model",
    "Parameters": "model",
    "compare": "comparison",
    "continuation": "theory.continuation",
    "critical_input": "theory.critical",
    "currents": "theory.currents",
    "Neuron": "model.neuron",
    "Synapse": "model.neuron",
    "neuron": "model.neuron",
    "matrix": "model.matrix",
    **dict.fromkeys(_PARTS, "model.network"),
    **dict.fromkeys(_LAWS, "model.distributions"),
    **dict.fromkeys(_WIRINGS, "model.wirings"),
    "Sweep": "sweeps.sweep",
    "open_sweep": "sweeps.sweep",
    "load": "model.library",
    "build": "simulation.run",
    "simulate": "simulation.run",
    "simulate_neuron": "simulation.event_driven",
    "respond": "theory.response",
    "solve": "theory.self_consistency",
    "heterogeneity": "theory.heterogeneity",
    "stability": "theory.stability",
    "tune": "theory.tune",
    "tuned_input": "theory.asymptotics",
    "voltage_scaling": "theory.asymptotics",
}

_MODULES = {
    "errors": "errors",
    "plotting": "results.plotting",
    "plotting_networks": "results.plotting_networks",
    "results": "results",
    "theory": "theory",
}

__all__ = ["__version__", *_PUBLIC, *_MODULES]

# In a checkout `models/` and `figures/` stand beside this folder; setuptools maps them to
# cbnet.models and cbnet.figures. Python started inside the checkout imports this folder rather
# than an installed wheel, and would miss them.
if importlib.util.find_spec("cbnet.models") is None:
    __path__.append(str(Path(__file__).resolve().parent.parent))


def __getattr__(name):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"cbnet.{_PUBLIC[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"cbnet.{_MODULES[name]}")
    raise AttributeError(f"module 'cbnet' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
