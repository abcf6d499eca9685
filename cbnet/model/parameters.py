"""The values that a user sets, for a model of E and I."""

import hashlib
import importlib
import importlib.resources
import json
import math
from dataclasses import FrozenInstanceError, dataclass, field

from ..errors import ParameterError
from .model import Model
from .units import to_quantity

POPULATIONS = ("E", "I")


@dataclass(frozen=True, eq=False)
class Parameters:
    """Values for a model, frozen; everything not set has the default of the model's table.

    Read a value as an attribute (``params.tau_L``, a quantity); make a changed copy with
    :meth:`replace`; `changes` holds what differs from the table, in SI base units, with keys such
    as ``"E.tau_L"`` for one population.

    Attributes
    ----------
    model : Model
        The strings these values go with.
    changes : dict
        What was set, in SI base units.
    """

    model: object
    changes: dict = field(default_factory=dict)

    def __post_init__(self):
        for population in POPULATIONS:
            self.model.check(self.resolve(population), population)

    @classmethod
    def checked(cls, model, changes):
        """An object of values that were those of another one: they are not checked again."""
        made = object.__new__(cls)
        object.__setattr__(made, "model", model)
        object.__setattr__(made, "changes", changes)
        return made

    def replace(self, /, **changes):
        """A copy with other values; a value for one population is ``**{"I.tau_L": 10*ms}``.

        Raises
        ------
        ParameterError
            For an unknown name, a wrong unit, or a value that cannot be used.
        """
        given, by = {}, {}
        for key, value in changes.items():
            population, _, name = key.rpartition(".")
            if population not in ("", *POPULATIONS):
                raise ParameterError(
                    f"{key}: got the population {population!r}; expected 'E' or 'I'"
                )
            prefix = f"{population}." if population else ""
            for target in self.model.aliases.get(name, (name,)):
                parsed = self.model.entry(target, key).parse(value, key)
                target = prefix + target
                if given.setdefault(target, parsed) != parsed:
                    raise ParameterError(
                        f"{key}: got {key} and {by[target]}, which both set {target}; give one of "
                        "them"
                    )
                by[target] = key
        return self.updated(given)

    def updated(self, given):
        """A copy with other values, which are in SI.

        Parameters
        ----------
        given : dict
            Values of parameters and of derived quantities; no aliases.

        Raises
        ------
        ParameterError
            If two of them fix each other, or values cannot be used together.

        Notes
        -----
        What is set stays until it is set again, or until what it fixes is: J_E stays whatever else
        changes, a then follows from it, until a is set. The order of what does not fix each other
        makes no difference.
        """
        new = dict(self.changes)
        for key, value in given.items():
            prefix, name = key[: key.rfind(".") + 1], key.rpartition(".")[2]
            for rival in self.model.rivals(name):
                if prefix + rival in given:
                    derived = min(name, rival, key=lambda n: n in self.model.entries)
                    other = rival if derived == name else name
                    raise ParameterError(
                        f"{prefix}{derived}: got {derived} and {other}, which fix each other; give "
                        "one of them"
                    )
                new.pop(prefix + rival, None)
            new[key] = value
        return Parameters(self.model, new)

    def scaled(self, law, K, **options):
        """A copy at another in-degree, with the efficacy following a scaling law.

        Parameters
        ----------
        law : {"sqrt", "inverse", "log", "preserving"}
            See :func:`cbnet.theory.scaling.scale`.
        K : int
            The new in-degree.
        **options
            For ``"preserving"``: `noise`, or `r_E`, `r_I` and `rate`.
        """
        # theory, which reads parameters, is found by name
        return importlib.import_module("cbnet.theory.scaling").scale(self, law, K, **options)

    def resolve(self, population="E"):
        """Every value for one population by name: SI floats, whole numbers, words.

        A parameter that a derived quantity stands in for is NaN where no value of it gives that.
        """
        known = self.__dict__.setdefault("_resolved", {})
        if population not in known:
            known[population] = self.model.resolve(self.settings(population))
        return dict(known[population])

    def settings(self, population):
        """What was set for one population, by name: its own values before those of both."""
        found = {key: value for key, value in self.changes.items() if "." not in key}
        for key, value in self.changes.items():
            if key.startswith(f"{population}."):
                name = key.partition(".")[2]
                for rival in self.model.rivals(name):
                    found.pop(rival, None)
                found[name] = value
        return found

    def without_derived(self):
        """What was set, with parameters in place of the derived quantities that stand for them.

        Returns
        -------
        dict
            Values in SI, for a model that does not have these derived quantities.

        Raises
        ------
        ParameterError
            Where no value of a parameter gives a derived quantity.
        """
        derived = {d.name: d for d in self.model.derived}
        found = {k: x for k, x in self.changes.items() if k.rpartition(".")[2] not in derived}
        for key in self.changes:
            own, _, name = key.rpartition(".")
            if name not in derived:
                continue
            solved = derived[name].solves
            values = {p: self.resolve(p)[solved] for p in ([own] if own else POPULATIONS)}
            if any(math.isnan(x) for x in values.values()):
                raise ParameterError(
                    f"{key}: got {derived[name].name} = {derived[name].expression}, which no "
                    f"{solved} gives; set {solved}, or what else it follows from"
                )
            if own or len(set(values.values())) > 1:
                found |= {f"{p}.{solved}": x for p, x in values.items()}
            else:
                found[solved] = next(iter(values.values()))
        return found

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            entry = self.model.entry(name, name)
        except ParameterError as error:
            raise AttributeError(str(error)) from None
        first, second = (self.resolve(p)[name] for p in POPULATIONS)
        if _differ(first, second):
            raise AttributeError(
                f"{name}: the populations differ ({entry.show(first)} and {entry.show(second)}); "
                f"read params.of('E').{name} or params.of('I').{name}"
            )
        return first if entry.choices else to_quantity(first, entry.unit)

    def of(self, population):
        """These parameters as one population sees them, the same for both."""
        if population not in POPULATIONS:
            raise ParameterError(f"population: got {population!r}; expected 'E' or 'I'")
        return Parameters(self.model, self.settings(population))

    def differing(self):
        """Names whose values differ between the populations."""
        first, second = (self.resolve(p) for p in POPULATIONS)
        return tuple(name for name in first if _differ(first[name], second[name]))

    def to_dict(self):
        """Everything needed to make this object again, ready for JSON."""
        return {"model": self.model.to_dict(), "changes": dict(sorted(self.changes.items()))}

    @classmethod
    def from_dict(cls, stored):
        """The inverse of :meth:`to_dict`."""
        return cls(Model.from_dict(stored["model"]), stored["changes"])

    @property
    def fingerprint(self):
        """SHA-256 of the canonical JSON: equal exactly when every string and value is."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def __eq__(self, other):
        return isinstance(other, Parameters) and self.fingerprint == other.fingerprint

    def __hash__(self):
        return hash(self.fingerprint)

    def __repr__(self):
        shown = []
        for key, value in self.changes.items():
            entry = self.model.entry(key.rpartition(".")[2], key)
            shown.append(f"{key}={entry.show(value)}")
        return f"Parameters({self.model.name!r}{''.join(', ' + s for s in shown)})"


def _differ(one, other):
    return one != other and not (one != one and other != other)  # NaN is no difference from NaN


def _frozen(self, name, value):
    raise FrozenInstanceError(
        f"{name}: parameters are frozen; take a changed copy: params.replace({name}=...)"
    )


Parameters.__setattr__ = _frozen  # dataclass makes one that does not say what to do


def require(params):
    """Refuse what is no set of parameters."""
    if not isinstance(params, Parameters):
        raise ParameterError(
            f"params: got {str(params)[:40]!r}; expected cbnet.Parameters, as of "
            "cbnet.load('conductance')"
        )
