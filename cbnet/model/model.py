"""A model as data: equation strings, what is assumed of them, and the parameters they name."""

import functools
import math
import re
from dataclasses import asdict, dataclass, field

from ..errors import ModelError, ParameterError
from ..support.expressions import FUNCTIONS, parse
from . import names
from .entry import Entry, entry_of, nearest, reference_table
from .units import to_quantity, unit


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
    above : float, optional
        Bound of its values, exclusive, in `unit`.
    """

    name: str
    expression: str
    unit: str
    solves: str
    inverse: str
    symbol: str = ""
    meaning: str = ""
    above: float | None = None

    def value(self, values):
        """Its value from parameters in SI; NaN where it has none."""
        try:
            return parse(self.expression)(values)
        except (ArithmeticError, ValueError):
            return math.nan


@functools.lru_cache(maxsize=64)
def identifiers(*texts):
    """The identifiers in some strings."""
    return frozenset().union(*(re.findall(r"\b[A-Za-z_]\w*", text) for text in texts))


@dataclass(frozen=True)
class Model:
    """A neuron and its synapses, as the strings that Brian2 simulates.

    The same strings give the drift and noise of the theory (:mod:`cbnet.model.reduction`): nothing
    else states the physics.

    Parameters
    ----------
    name : str
        Shown in tables and legends.
    equations, excitatory, inhibitory : str
        Brian2 equations of the neuron, in ``v``, and the ``on_pre`` statements of a spike of each
        kind. A spike moves ``v`` itself, or a variable that decays exponentially and drives ``v``,
        under any name and with any time constant: what it is follows from the equations.
    threshold, reset : str
        Brian2's, of the form ``v > ...`` and ``v = ...``.
    variants : dict of str to Coupling
        A shorthand of models that come with cbnet: couplings that stand in for the strings above,
        ``"filtered"`` when the parameters ``tau_E`` and ``tau_I`` are positive, ``"exponential"``
        when ``jump="exponential"``. A model without them is what its strings say.
    parameters : dict of str to Quantity, float or Entry
        Defaults that differ from the reference set, and parameters it does not have.
    derived : tuple of Derived
        Quantities computed from the parameters.
    requires : tuple of str
        Inequalities that the instantaneous coupling needs.
    assumptions : str
        What is left out, in words.
    efficacies : dict of str to str
        What a projection's efficacy is in the statements of each kind, such as ``"g*a"`` for I.

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
    efficacies: dict = field(default_factory=dict)

    def __post_init__(self):
        self._check_names()
        own = {
            name: entry_of(name, given, f"Model.parameters[{name!r}]", f"model {self.name}")
            for name, given in self.parameters.items()
        }
        object.__setattr__(self, "parameters", own)
        self._check_expressions()

    def _check_names(self):
        """Refuse names that would mean something else to Brian2, sympy, C++ or cbnet."""
        reference = reference_table()[0]
        for name in self.parameters:
            if name not in reference:
                names.check(name, f"Model.parameters[{name!r}]")
        for d in self.derived:
            names.check(d.name, f"Model.derived[{d.name!r}]")
            if d.name in reference or d.name in self.parameters:
                raise ModelError(
                    f"Model.derived[{d.name!r}]: got the name of a parameter; choose another name"
                )
            if d.solves not in reference and d.solves not in self.parameters:
                raise ModelError(
                    f"Model.derived[{d.name!r}]: got solves={d.solves!r}; expected a parameter"
                )
        for equations in (self.equations, *(c.equations for c in self.variants.values())):
            for name in names.of_variables(equations):
                if name != "v":
                    names.check(name, "Model.equations")

    def _check_expressions(self):
        """Refuse what cannot be evaluated from the values of parameters, which are in SI."""
        known = {n for n, entry in self.entries.items() if not entry.choices}
        for name, entry in self.parameters.items():
            follows = entry.follows
            if follows is not None and (
                follows not in known or self.entries[follows].follows is not None
            ):
                raise ModelError(
                    f"Model.parameters[{name!r}]: got follows={follows!r}; expected a parameter "
                    "that follows no other"
                )
        rules = [(f"Model.requires[{k}]", text, known) for k, text in enumerate(self.requires)]
        rules += [
            (f"Model.variants[{name!r}].requires", text, known)
            for name, one in self.variants.items()
            for text in one.requires
        ]
        for k, d in enumerate(self.derived):
            earlier = known | {e.name for e in self.derived[:k]}
            rules.append((f"Model.derived[{d.name!r}].expression", d.expression, earlier))
            rules.append((f"Model.derived[{d.name!r}].inverse", d.inverse, earlier | {d.name}))
            try:
                unit(d.unit)
            except KeyError:
                raise ModelError(
                    f"Model.derived[{d.name!r}]: got the unit {d.unit!r}; expected one of "
                    "Brian2's, such as mV"
                ) from None
        for label, text, names_there in rules:
            try:
                parse(text)
            except (AttributeError, ValueError) as error:
                raise ModelError(f"{label}: got {text!r}; {error}; expected arithmetic") from error
            if unknown := sorted(identifiers(text) - names_there - set(FUNCTIONS)):
                raise ModelError(
                    f"{label}: got {unknown[0]!r} in {text!r}; expected parameters, which stand "
                    "for their values in SI units"
                )

    @functools.cached_property
    def entries(self):
        """Every parameter by name: the reference set, changed and extended by the model's own."""
        return {**reference_table()[0], **self.parameters}

    @functools.cached_property
    def known_names(self):
        """Every name that parameters, derived quantities and strings have."""
        couplings = (self, *self.variants.values())
        texts = [x for c in couplings for x in (c.equations, c.excitatory, c.inhibitory)]
        found = identifiers(*texts, self.threshold, self.reset)
        return found | set(self.entries) | {d.name for d in self.derived}

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

    @functools.cached_property
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
                about = (derived.symbol, derived.meaning, f"{derived.expression}")
                return Entry(name, None, derived.unit, *about, above=derived.above)
        if name not in self.entries:
            known = [*self.entries, *self.aliases, *(d.name for d in self.derived)]
            raise ParameterError(
                f"{label}: got an unknown name; expected a parameter of model {self.name!r} "
                f"({nearest(name, known)})"
            )
        return self.entries[name]

    def derive(self, values):
        """Values of the derived quantities."""
        return {d.name: d.value(values) for d in self.derived}

    def rivals(self, name):
        """Names that fix the same parameter as this one, of which one alone can be set."""
        return self._rivals.get(name, ())

    @functools.cached_property
    def _rivals(self):
        together = {}
        for d in self.derived:
            together.setdefault(d.solves, [d.solves]).append(d.name)
        return {n: tuple(m for m in names if m != n) for names in together.values() for n in names}

    def resolve(self, settings):
        """Every value by name, from those that were set.

        Parameters
        ----------
        settings : dict
            Values in SI of parameters and of derived quantities.

        Returns
        -------
        dict
            A derived quantity that was set has its value, and the parameter that it stands in for
            follows: NaN where no value of it that is allowed gives the derived one.
        """
        values = self.defaults | {n: x for n, x in settings.items() if n in self.entries}

        def follow():
            for name, entry in self.entries.items():
                if entry.follows is not None and name not in settings:
                    values[name] = values[entry.follows]

        follow()
        for d in self.derived:
            if d.name in settings:
                values[d.solves] = self._solved(d, {**values, d.name: settings[d.name]})
        follow()
        found = self.derive(values) | {
            d.name: settings[d.name] for d in self.derived if d.name in settings
        }
        return {name: values[name] for name in self.entries} | found

    def _solved(self, derived, values):
        entry = self.entries[derived.solves]
        try:
            value = parse(derived.inverse)(values)
            shown = to_quantity(value, entry.unit)
            return entry.parse(shown, derived.solves)
        except (ArithmeticError, ValueError):
            return math.nan

    def coupling(self, values):
        """The coupling that these values call for."""
        if values["tau_E"] > 0 and "filtered" in self.variants:
            return self.variants["filtered"]
        if values["jump"] == "linear":
            return Coupling(self.equations, self.excitatory, self.inhibitory, self.requires)
        if values["jump"] not in self.variants:
            raise ParameterError(
                f"jump: got {values['jump']!r}; model {self.name!r} has only 'linear' jumps"
            )
        return self.variants[values["jump"]]

    def needs(self, coupling):
        """Identifiers in the strings of a coupling, and those that their derived ones follow from.

        Parameters
        ----------
        coupling : Coupling

        Returns
        -------
        frozenset of str
        """
        found = set(identifiers(coupling.equations, *self._statements(coupling)))
        for d in reversed(self.derived):
            if d.name in found:
                found |= identifiers(d.expression)
        return frozenset(found)

    def check(self, values, population):
        """Raise ParameterError unless these values can be used together."""

        def show(name):
            return f"{name} = {self.entries[name].show(values[name])}"

        named = identifiers(self.threshold, self.reset)
        if {"V_r", "theta"} <= named and not values["V_r"] < values["theta"]:
            raise ParameterError(f"V_r: got {show('V_r')}; expected it below {show('theta')}")
        if not values["D_min"] <= values["D_max"]:
            raise ParameterError(f"D_min: got {show('D_min')}; expected at most {show('D_max')}")
        if "filtered" in self.variants and (values["tau_E"] > 0) != (values["tau_I"] > 0):
            raise ParameterError(
                f"tau_E, tau_I: got {show('tau_E')} and {show('tau_I')}; expected both zero "
                "(instantaneous) or both positive"
            )
        if values["CV_K"] > 0 and values["law"] != "gaussian":
            raise ParameterError(
                f"CV_K: got {show('CV_K')} with {show('law')}; expected law=gaussian, or CV_K=0"
            )
        coupling = self.coupling(values)
        self._check_derived(values, population, coupling)
        unused = [n for n in ("tau_E", "tau_I") if values[n] > 0 and n not in self.needs(coupling)]
        if unused:
            raise ParameterError(
                f"{unused[0]}: got {show(unused[0])}, which no equation of model {self.name!r} "
                "names; set the time constants that its equations have, and "
                f"{' and '.join(unused)} to 0 ms"
            )
        for rule in coupling.requires:
            if not parse(rule)(values):
                left = rule.split("<")[0].split(">")[0].strip()
                raise ParameterError(
                    f"{left}: got {parse(left)(values):g} for population {population}; "
                    f"expected {rule} in model {self.name!r}"
                )

    def _check_derived(self, values, population, coupling):
        """Refuse a derived quantity beyond its bound, and a parameter without a value."""
        for d in self.derived:
            shown = values[d.name] / unit(d.unit)[0]
            if not math.isfinite(shown) or (d.above is not None and not shown > d.above):
                bound = "" if d.above is None else f" above {d.above:g}"
                got = "no value" if math.isnan(shown) else f"{shown:.6g} {d.unit}"
                raise ParameterError(
                    f"{d.name}: got {got} for population {population} from {d.name} = "
                    f"{d.expression}; expected a finite number{bound}: set {d.name} together with "
                    "what you changed, or what else it follows from"
                )
            named = d.solves in identifiers(coupling.equations, *self._statements(coupling))
            if named and math.isnan(values[d.solves]):
                raise ParameterError(
                    f"{d.solves}: got {d.name} = {shown:.6g} {d.unit}, which no {d.solves} gives; "
                    f"expected one that does, which model {self.name!r} needs: set {d.solves}"
                )

    def _statements(self, coupling):
        return coupling.excitatory, coupling.inhibitory, self.threshold, self.reset

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


__all__ = ["Coupling", "Derived", "Entry", "Model"]
