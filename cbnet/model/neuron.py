"""A neuron and its synapses by kind, as the strings that Brian2 simulates."""

import dataclasses
import functools
import re
from dataclasses import dataclass, field

from ..errors import ModelError, ParameterError
from ..support.expressions import parse
from . import dimensions, names
from .entry import Entry, entry_of, nearest, reference_table, shown_in
from .model import Model, identifiers
from .parameters import Parameters
from .quantities import split, text
from .units import unit

# What a neuron takes from the reference set where its strings name it and nobody gave it.
_MEMBRANE = {"tau_L", "E_L", "E_E", "E_I", "theta", "V_r"}
_FILTERS = ("tau_S", "tau_E", "tau_I")  # zero chooses strings without them


@dataclass(frozen=True)
class Synapse:
    """What a spike of one kind does.

    Parameters
    ----------
    on_pre : str
        Brian2 statements of one presynaptic spike.
    efficacy : str or None
        The symbol that a projection's `w` fills, positive; its unit follows from the statements,
        and the sign is theirs. None if they name none.
    equations, on_post : str
        Brian2's, of synapses that have variables of their own.
    requires : tuple of str
        Inequalities that the efficacy must satisfy, such as ``"w < 1"``.
    """

    on_pre: str
    efficacy: str | None = "w"
    equations: str = ""
    on_post: str = ""
    requires: tuple = ()

    def __post_init__(self):
        for name in ("on_pre", "equations", "on_post"):
            text(getattr(self, name), f"Synapse.{name}")
        if self.efficacy is not None:
            text(self.efficacy, "Synapse.efficacy")


@dataclass(frozen=True)
class Neuron:
    """Equations of a neuron, and synapses by kind.

    Parameters
    ----------
    equations : str
        Brian2 equations; the membrane potential is ``v``.
    threshold, reset : str
        Brian2's. The refractory time is the parameter ``tau_rp``.
    synapses : dict of str to Synapse or str
        By kind, any identifier; a string is its ``on_pre``.
    parameters : dict of str to Quantity, float or Entry
        Defaults; ``tau_L``, ``E_L``, ``E_E``, ``E_I``, ``theta``, ``V_r`` and ``tau_rp`` are those
        of the reference set unless they are given.
    name : str
        For tables.

    Raises
    ------
    ModelError
        If a name in the strings has no value, or units contradict each other.

    Examples
    --------
    >>> from cbnet import Neuron
    >>> leaky = Neuron(
    ...     "dv/dt = (E_L - v)/tau_L : volt (unless refractory)",
    ...     synapses={"E": "v_post += w", "I": "v_post -= w"},
    ... )
    >>> leaky.units
    {'E': 'mV', 'I': 'mV'}
    """

    equations: str
    threshold: str = "v > theta"
    reset: str = "v = V_r"
    synapses: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    name: str = ""

    def __post_init__(self):
        for name in ("equations", "threshold", "reset", "name"):
            text(getattr(self, name), f"Neuron.{name}")
        for name in ("synapses", "parameters"):
            if not isinstance(getattr(self, name), dict):
                raise ModelError(f"Neuron.{name}: got {getattr(self, name)}; expected them by name")
        made = {k: s if isinstance(s, Synapse) else Synapse(s) for k, s in self.synapses.items()}
        object.__setattr__(self, "synapses", made)
        for kind in made:
            names.check(kind, f"Neuron.synapses[{kind!r}]")
        object.__setattr__(self, "parameters", self._entries())
        self._check_strings()

    def _entries(self):
        owner = f"neuron {self.name}".strip()
        found = {}
        for name, given in self.parameters.items():
            place = f"Neuron.parameters[{name!r}]"
            if name not in reference_table()[0]:
                names.check(name, place)
                if isinstance(given, str):
                    value, dims = split(given, place)
                    shown = dimensions.name_of(dims)
                    given = Entry(name, shown_in(value, shown), shown, name, "", owner)
            found[name] = entry_of(name, given, place, owner)
        named = identifiers(self.equations, self.threshold, self.reset, *self._statements())
        for name in sorted(set(found) - named - {"tau_rp"}):
            raise ModelError(
                f"Neuron.parameters[{name!r}]: got it; expected a parameter that a string names"
            )
        for name in sorted(((named & _MEMBRANE) | {"tau_rp"}) - set(found) - set(self.variables)):
            found[name] = reference_table()[0][name]
        for name in set(found) & set(_FILTERS):
            found[name] = dataclasses.replace(found[name], at_least=None, above=0)
            if not found[name].value > 0:
                raise ModelError(
                    f"Neuron.parameters[{name!r}]: got {found[name].show(0)}; expected it above 0"
                )
        return found

    def _statements(self):
        return [t for s in self.synapses.values() for t in (s.on_pre, s.on_post, s.equations)]

    def _check_strings(self):
        if "v" not in self.variables:
            raise ModelError(
                f"Neuron.equations: got equations of {', '.join(self.variables) or 'nothing'}; "
                "expected one of the membrane potential 'v'"
            )
        known = self._known
        dimensions.check_equations(self.equations, known, "Neuron.equations")
        dimensions.check_statements(self.threshold, known, "Neuron.threshold")
        dimensions.check_statements(self.reset, known, "Neuron.reset")
        self.units  # noqa: B018  (refuses what it cannot be found from)

    @functools.cached_property
    def variables(self):
        """Dimensions of the variables, by name."""
        return dimensions.of_variables(self.equations)

    @property
    def _known(self):
        own = {n: unit(e.unit)[1] for n, e in self.parameters.items() if not e.choices}
        return {**own, **self.variables}

    @functools.cached_property
    def units(self):
        """The unit of the efficacy of each kind; None for a kind that has none."""
        found = {}
        for kind, synapse in self.synapses.items():
            place = f"Neuron.synapses[{kind!r}]"
            known = {**self._known, **dimensions.of_variables(synapse.equations)}
            if synapse.efficacy in known:
                raise ModelError(
                    f"{place}: got the efficacy {synapse.efficacy!r}, which is a variable or a "
                    "parameter too; name it otherwise: Synapse(..., efficacy=...)"
                )
            dims = dimensions.of_efficacy(synapse, known, place)
            found[kind] = dims and dimensions.name_of(dims)
        return found

    @functools.cached_property
    def defaults(self):
        """Values of the parameters in SI, by name."""
        found = {}
        for name, entry in self.parameters.items():
            source = self.parameters.get(entry.follows, entry) if entry.follows else entry
            found[name] = source.value if source.choices else source.value * unit(source.unit)[0]
        return found

    @property
    def drive_unit(self):
        """The unit of dv/dt, in which currents are given: mV/ms for a potential."""
        pairs = zip(self.variables["v"], unit("s")[1], strict=True)
        return dimensions.name_of(tuple(v - s for v, s in pairs))

    def entry(self, name, place):
        """The row of a parameter; ParameterError if the neuron has none of that name."""
        if text(name, place) not in self.parameters:
            raise ParameterError(
                f"{place}: got an unknown name; expected a parameter of the neuron "
                f"({nearest(name, self.parameters)})"
            )
        return self.parameters[name]


def neuron(model, **values):
    """The neuron of a model that ships with cbnet, or of one's own.

    Parameters
    ----------
    model : str, Model or Parameters
        ``"conductance"``, ``"current"``, ``"FILE.py:OBJECT"``.
    **values
        Parameters of the neuron, as ``tau_L=10*ms``; with ``tau_S`` (or ``tau_E`` and ``tau_I``)
        above zero, synapses decay with these time constants.

    Returns
    -------
    Neuron
        With these values as defaults; synapses have the kinds ``"E"`` and ``"I"``.

    Raises
    ------
    ParameterError
        For what is no parameter of the neuron: efficacies and numbers are of projections.

    Examples
    --------
    >>> import cbnet
    >>> cbnet.neuron("current", tau_S="0.5 ms").units
    {'E': 'mV', 'I': 'mV'}
    """
    from .library import load_parameters

    params = model if isinstance(model, Parameters) else load_parameters(model)
    params = params.replace(**values)
    made = of_model(params.model, params.resolve())[0]
    for name in values:
        used = params.model.aliases.get(name, (name,))
        if not set(used) & set(made.parameters) and name not in ("jump", *_FILTERS):
            raise ParameterError(
                f"{name}: got a value; expected a parameter that the neuron's strings name "
                f"({', '.join(made.parameters)}): efficacies, numbers and rates are of projections "
                "and inputs"
            )
    return made


def of_model(model: Model, values):
    """The neuron of a model at these values, and the efficacy of each kind in SI (or None).

    What the model calls the efficacy of a kind becomes ``w`` in its statements.
    """
    coupling = model.coupling(values)
    synapses, efficacies = {}, {}
    for kind, on_pre in (("E", coupling.excitatory), ("I", coupling.inhibitory)):
        efficacy = model.efficacies.get(kind)
        symbol = "w" if efficacy else None
        if efficacy:
            pattern = rf"(?<![\w.]){re.escape(efficacy)}\b"
            on_pre, met = re.subn(pattern, "w", on_pre)
            if not met:
                raise ModelError(
                    f"Model.efficacies[{kind!r}]: got {efficacy!r}, which the statement of that "
                    "kind does not name; expected what stands there"
                )
            efficacies[kind] = parse(efficacy)(values)
        rules = tuple(re.sub(pattern, "w", r) for r in coupling.requires if efficacy)
        rules = tuple(r for r in rules if identifiers(r) == {"w"})
        synapses[kind] = Synapse(on_pre, symbol, requires=rules)
    texts = (coupling.equations, *(s.on_pre for s in synapses.values()))
    named = identifiers(*texts, model.threshold, model.reset) | {"tau_rp"}
    parameters = {n: _baked(e, values[n]) for n, e in model.entries.items() if n in named}
    for d in model.derived:
        if d.name in named:
            parameters[d.name] = _baked(model.entry(d.name, d.name), values[d.name])
    made = Neuron(
        coupling.equations, model.threshold, model.reset, synapses, parameters, model.name
    )
    return made, efficacies


def _baked(entry, value):
    """A row with another default, which follows nothing."""
    if not (entry.choices or entry.integer):
        value = shown_in(value, entry.unit)
    return dataclasses.replace(entry, value=value, follows=None)
