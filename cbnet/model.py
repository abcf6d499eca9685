"""A model as data: equation strings, what is assumed of them, and the parameters they name."""

import functools
import math
from dataclasses import asdict, dataclass, field

from .errors import ModelError, ParameterError
from .parameters import Entry, Parameters, nearest, reference_table, unit


@dataclass(frozen=True)
class Coupling:
    """One way in which synapses reach the membrane.

    Attributes
    ----------
    equations : str
        Brian2 equations of the neuron; the membrane potential is ``v``.
    excitatory, inhibitory : str
        Brian2 ``on_pre`` statements of one presynaptic spike.
    requires : tuple of str
        Inequalities that the parameters must satisfy, such as ``"a < 1"``.
    """

    equations: str
    excitatory: str
    inhibitory: str
    requires: tuple = ()


@dataclass(frozen=True)
class Derived:
    """A quantity computed from parameters, which may be given in place of one of them.

    Attributes
    ----------
    name, symbol, unit, meaning : str
        As for a parameter.
    expression : str
        Its value from the parameters.
    solves, inverse : str
        The parameter it stands in for, and that parameter's value from this quantity.
    """

    name: str
    expression: str
    unit: str
    solves: str
    inverse: str
    symbol: str = ""
    meaning: str = ""


_FUNCTIONS = {name: getattr(math, name) for name in ("exp", "log", "sqrt", "expm1", "log1p")}


@functools.lru_cache(maxsize=256)
def _compiled(expression):
    return compile(expression.strip(), "<expression of a model>", "eval")


def _evaluate(expression, values):
    """The value of an arithmetic expression over floats in SI."""
    return eval(_compiled(expression), {"__builtins__": {}, **_FUNCTIONS}, dict(values))


@dataclass(frozen=True)
class Model:
    """A neuron and its synapses, as the strings that Brian2 simulates.

    The same strings give the drift and noise of the theory (:mod:`cbnet.diffusion`): nothing else
    states the physics.

    Parameters
    ----------
    name : str
        Shown in tables and legends.
    equations, excitatory, inhibitory : str
        Brian2 equations of the neuron, in ``v``, and the ``on_pre`` statements of a spike of each
        kind, for instantaneous synapses.
    threshold, reset : str
        Brian2's, of the form ``v > ...`` and ``v = ...``.
    variants : dict of str to Coupling
        Other couplings: ``"filtered"`` serves when the synaptic time constants are positive,
        ``"exponential"`` when ``jump="exponential"``.
    parameters : dict of str to Quantity, float or Entry
        Defaults that differ from the reference set, and parameters it does not have.
    derived : tuple of Derived
        Quantities computed from the parameters.
    requires : tuple of str
        Inequalities that the instantaneous coupling needs.
    assumptions : str
        What is left out, in words.

    Examples
    --------
    >>> from brian2 import mV
    >>> from cbnet import Model, Parameters
    >>> leaky = Model(
    ...     name="leaky",
    ...     equations="dv/dt = (E_L - v)/tau_L : volt (unless refractory)",
    ...     excitatory="v_post += J",
    ...     inhibitory="v_post -= g*J",
    ...     parameters={"J": 0.1*mV, "g": 5},
    ... )
    >>> Parameters(leaky).J
    100. * uvolt
    """

    name: str
    equations: str
    excitatory: str
    inhibitory: str
    threshold: str = "v > theta"
    reset: str = "v = V_r"
    variants: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    derived: tuple = ()
    requires: tuple = ()
    assumptions: str = ""

    def __post_init__(self):
        own = {name: self._entry(name, given) for name, given in self.parameters.items()}
        object.__setattr__(self, "parameters", own)

    def _entry(self, name, given):
        if isinstance(given, Entry):
            return given
        base = reference_table()[0].get(name)
        label = f"Model.parameters[{name!r}]"
        if base is not None:
            value = base.parse(given, label)
            shown = value if base.choices or base.integer else value / unit(base.unit)[0]
            return Entry(**{**asdict(base), "value": shown, "source": f"model {self.name}"})
        if isinstance(given, str):
            raise ModelError(f"{label}: got {given!r}; expected a quantity, a number or an Entry")
        shown_unit = str(given.get_best_unit()).replace(" ", "") if hasattr(given, "dim") else "1"
        try:
            factor, _ = unit(shown_unit)
        except KeyError:
            raise ModelError(
                f"{label}: got {given} in {shown_unit}; give an Entry that names a Brian2 unit"
            ) from None
        meaning = f"parameter of model {self.name}"
        return Entry(name, float(given) / factor, shown_unit, name, meaning, f"model {self.name}")

    @functools.cached_property
    def entries(self):
        """Every parameter by name: the reference set, changed and extended by the model's own."""
        return {**reference_table()[0], **self.parameters}

    @functools.cached_property
    def defaults(self):
        """Values by name, in SI, of what follows no other parameter."""
        return {
            name: entry.value
            if entry.choices or entry.integer
            else entry.value * unit(entry.unit)[0]
            for name, entry in self.entries.items()
            if entry.follows is None
        }

    @property
    def units(self):
        """Pairs of name and unit of every parameter and derived quantity that is a number."""
        units = {name: entry.unit for name, entry in self.entries.items() if not entry.choices}
        units |= {derived.name: derived.unit for derived in self.derived}
        return tuple(sorted(units.items()))

    @property
    def aliases(self):
        """Names that set several parameters at once."""
        return reference_table()[1]

    def entry(self, name, label):
        """The table's row of a parameter or derived quantity."""
        for derived in self.derived:
            if derived.name == name:
                return Entry(name, None, derived.unit, derived.symbol, derived.meaning, "derived")
        if name not in self.entries:
            known = [*self.entries, *self.aliases, *(d.name for d in self.derived)]
            raise ParameterError(
                f"{label}: got an unknown name; expected a parameter of model {self.name!r} "
                f"({nearest(name, known)})"
            )
        return self.entries[name]

    def derive(self, values):
        """Values of the derived quantities."""
        return {d.name: _evaluate(d.expression, values) for d in self.derived}

    def invert(self, asked, plain, before):
        """Parameter values that give the derived quantities asked for; the other ones stay put."""
        for d in self.derived:
            if d.name in asked and d.solves in plain:
                raise ParameterError(
                    f"{d.name}: got {d.name} and {d.solves}, which fix each other; give one of them"
                )
        held = {d.name: before[d.name] for d in self.derived if d.solves not in plain}
        values, solved = dict(before), {}
        for d in self.derived:
            if d.name in asked or d.name in held:
                values[d.name] = asked.get(d.name, held.get(d.name))
                solved[d.solves] = values[d.solves] = _evaluate(d.inverse, values)
        return {
            name: self.entries[name].parse(value, f"{name} (from {', '.join(asked)})")
            for name, value in solved.items()
        }

    def coupling(self, values):
        """The coupling that these values call for."""
        if values["tau_E"] > 0:
            if "filtered" not in self.variants:
                raise ParameterError(
                    f"tau_S: got a positive synaptic time constant; model {self.name!r} has no "
                    "'filtered' variant; give it one or set tau_S=0ms"
                )
            return self.variants["filtered"]
        if values["jump"] == "linear":
            return Coupling(self.equations, self.excitatory, self.inhibitory, self.requires)
        if values["jump"] not in self.variants:
            raise ParameterError(
                f"jump: got {values['jump']!r}; model {self.name!r} has only 'linear' jumps"
            )
        return self.variants[values["jump"]]

    def check(self, values, population):
        """Raise ParameterError unless these values can be used together."""

        def show(name):
            return f"{name} = {self.entries[name].show(values[name])}"

        if not values["V_r"] < values["theta"]:
            raise ParameterError(f"V_r: got {show('V_r')}; expected it below {show('theta')}")
        if not values["D_min"] <= values["D_max"]:
            raise ParameterError(f"D_min: got {show('D_min')}; expected at most {show('D_max')}")
        if (values["tau_E"] > 0) != (values["tau_I"] > 0):
            raise ParameterError(
                f"tau_E, tau_I: got {show('tau_E')} and {show('tau_I')}; expected both zero "
                "(instantaneous) or both positive"
            )
        if values["CV_K"] > 0 and values["law"] != "gaussian":
            raise ParameterError(
                f"CV_K: got {show('CV_K')} with {show('law')}; expected law=gaussian, or CV_K=0"
            )
        for rule in self.coupling(values).requires:
            if not _evaluate(rule, values):
                left = rule.split("<")[0].split(">")[0].strip()
                raise ParameterError(
                    f"{left}: got {_evaluate(left, values):g} for population {population}; "
                    f"expected {rule} in model {self.name!r}"
                )

    def to_dict(self):
        """The model as plain data, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored):
        """The inverse of :meth:`to_dict`."""
        stored = dict(stored)
        stored["variants"] = {
            k: Coupling(**{**v, "requires": tuple(v["requires"])})
            for k, v in stored["variants"].items()
        }
        stored["parameters"] = {
            k: Entry(**{**v, "choices": tuple(v["choices"])})
            for k, v in stored["parameters"].items()
        }
        stored["derived"] = tuple(Derived(**d) for d in stored["derived"])
        stored["requires"] = tuple(stored["requires"])
        return cls(**stored)


__all__ = ["Coupling", "Derived", "Entry", "Model", "Parameters"]
