"""Parameters: what a value means, whether it may be used, and where it came from.

Values are kept in SI base units and become Brian2 quantities only when somebody reads them, so
that reading a table or checking a command line does not import Brian2 (which takes seconds).
"""

import decimal
import difflib
import functools
import hashlib
import importlib.resources
import json
import math
import operator
import re
import tomllib
from dataclasses import FrozenInstanceError, dataclass, field

from ..errors import ParameterError

POPULATIONS = ("E", "I")

# Exponents of (metre, kilogram, second, ampere, kelvin, mole, candela), as Brian2 stores them.
_VOLT = (2, 1, -3, -1, 0, 0, 0)
_SECOND = (0, 0, 1, 0, 0, 0, 0)
_HERTZ = (0, 0, -1, 0, 0, 0, 0)
_ONE = (0,) * 7

_SMALL = (("", 1.0), ("m", 1e-3), ("u", 1e-6), ("n", 1e-9), ("p", 1e-12))
_UNITS = {
    "1": (1.0, _ONE),
    **{p + u: (x, _VOLT) for p, x in (("", 1.0), ("m", 1e-3), ("u", 1e-6)) for u in ("V", "volt")},
    **{p + "s": (x, _SECOND) for p, x in (("", 1.0), ("m", 1e-3), ("u", 1e-6))},
    **{p + "second": (x, _SECOND) for p, x in (("", 1.0), ("m", 1e-3), ("u", 1e-6))},
    "m": (1.0, (1, 0, 0, 0, 0, 0, 0)),
    **{p + "A": (x, (0, 0, 0, 1, 0, 0, 0)) for p, x in _SMALL},
    **{p + "S": (x, (-2, -1, 3, 2, 0, 0, 0)) for p, x in _SMALL},
    **{p + "F": (x, (-2, -1, 4, 2, 0, 0, 0)) for p, x in _SMALL},
    **{"amp": (1.0, (0, 0, 0, 1, 0, 0, 0)), "siemens": (1.0, (-2, -1, 3, 2, 0, 0, 0))},
    "mV/ms": (1.0, (2, 1, -4, -1, 0, 0, 0)),
    "1/s": (1.0, _HERTZ),
    "1/V": (1.0, (-2, -1, 3, 1, 0, 0, 0)),
    **{p + u: (x, _HERTZ) for p, x in (("", 1.0), ("k", 1e3)) for u in ("Hz", "hertz")},
}


def unit(name):
    """Factor to SI and dimension exponents of a unit, such as ``(0.001, ...)`` for ``"mV"``."""
    if name in _UNITS:
        return _UNITS[name]
    import brian2.units.allunits
    import brian2.units.stdunits

    found = getattr(brian2.units.allunits, name, getattr(brian2.units.stdunits, name, None))
    if found is not None and hasattr(found, "dim"):
        return float(found), tuple(found.dim._dims)
    return _product(name)


@functools.cache
def _product(name):
    """A unit that is made of others, such as ``"nS*mV"`` or ``"A/m^2"``."""
    parts = re.split(r"([*/])", name.replace("**", "^").replace(" ", ""))
    if len(parts) == 1 and "^" not in name:
        raise KeyError(name)
    factor, dims = 1.0, _ONE
    for sign, part in zip(["*", *parts[1::2]], parts[::2], strict=True):
        base, _, power = part.partition("^")
        if not re.fullmatch(r"(-?\d+)?", power) or (base == "1" and sign == "/"):
            raise KeyError(name)
        n = int(power or 1) * (1 if sign == "*" else -1)
        one, its_dims = unit(base)
        factor *= one**n
        dims = tuple(d + n * e for d, e in zip(dims, its_dims, strict=True))
    return factor, dims


def to_quantity(value, unit_name):
    """A float in SI as a Brian2 quantity of the dimensions of `unit_name`; plain if it has none."""
    _, dims = unit(unit_name)
    if dims == _ONE:
        return value
    from brian2.units.fundamentalunits import Quantity, get_or_create_dimension

    return Quantity(value, dim=get_or_create_dimension(dims))


def base_units(unit_name):
    """SI base units of a unit, as Brian2 writes them: ``"m^2 kg s^-3 A^-1"`` for ``"mV"``."""
    symbols = ("m", "kg", "s", "A", "K", "mol", "cd")
    powers = [(s, n) for s, n in zip(symbols, unit(unit_name)[1], strict=True) if n]
    return " ".join(s if n == 1 else f"{s}^{n}" for s, n in powers) or "1"


def nearest(name, known):
    """A hint at the known name closest to a mistyped one."""
    folded = {k.lower(): k for k in sorted(known, reverse=True)}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.4)
    return f"did you mean {folded[close[0]]!r}?" if close else f"known: {', '.join(sorted(known))}"


@dataclass(frozen=True)
class Entry:
    """One row of a parameter table.

    Attributes
    ----------
    name, symbol, meaning, source : str
        How it is typed, written, understood, and where its default comes from.
    value : float, int or str
        Default, in `unit`.
    unit : str
        Unit in which the value is given and shown; ``"1"`` for none.
    integer : bool
        Whether only whole numbers make sense.
    choices : tuple of str
        The allowed words, for a parameter that is not a number.
    above, at_least, at_most : float, optional
        Bounds, the first exclusive, the others inclusive, in `unit`.
    follows : str, optional
        Another parameter whose value this one takes until it is set.
    """

    name: str
    value: object
    unit: str = "1"
    symbol: str = ""
    meaning: str = ""
    source: str = ""
    integer: bool = False
    choices: tuple = ()
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    follows: str | None = None

    @property
    def expected(self):
        """What may be given, in words for an error message."""
        if self.choices:
            return " or ".join(repr(c) for c in self.choices)
        bound = ""
        if self.above is not None:
            bound = f" above {self.above:g}"
        elif self.at_least is not None:
            bound = f" of at least {self.at_least:g}"
        if self.at_most is not None:
            bound += f"{' and' if bound else ' of'} at most {self.at_most}"
        kind = "a whole number" if self.integer else "a finite number"
        return f"{kind}{bound}" + (f", in {self.unit} (as in 20{self.unit})" * (self.unit != "1"))

    def parse(self, given, label):
        """The given value in SI (or as int or str); raises ParameterError in one line."""

        def refuse(reason=""):
            text = str(given).replace("\n", " ")
            why = f" ({reason})" if reason else ""
            return ParameterError(f"{label}: got {text}{why}; expected {self.expected}")

        if getattr(given, "ndim", 0):
            raise refuse("not one word" if self.choices else "not one number")
        if self.choices:
            if given not in self.choices:
                hint = nearest(str(given), self.choices)
                raise refuse("" if hint.startswith("known") else hint)
            return given
        factor, dims = unit(self.unit)
        if isinstance(given, str):
            digits, got = split_quantity(given)
            if digits is None:
                raise refuse("not a number")
            if got == "":
                if dims != _ONE:
                    raise refuse("no unit")
                value = _exactly(digits) if self.integer else float(digits)
            else:
                try:
                    got_factor, got_dims = unit(got)
                except KeyError:
                    raise refuse(f"{got!r} is not a unit") from None
                if got_dims != dims:
                    raise refuse(f"{got!r} is the wrong unit")
                value = float(digits) * got_factor
        else:
            got_dims = tuple(given.dim._dims) if hasattr(given, "dim") else _ONE
            if type(given).__name__ in ("bool", "bool_"):  # numpy's too, without importing it
                raise refuse("not a number")
            if got_dims != dims:
                raise refuse("wrong unit" if hasattr(given, "dim") else "no unit")
            try:
                value = operator.index(given) if self.integer and _counts(given) else float(given)
            except (TypeError, ValueError):
                raise refuse("not a number") from None
        try:
            finite = math.isfinite(value)
        except OverflowError:  # a whole number beyond every float
            finite = False
        if not finite:
            raise refuse("not finite")
        if self.integer:
            if value != round(value):
                raise refuse("not whole")
            if isinstance(value, float) and abs(value) > _EXACT:
                raise refuse("a float, which has no such digits")
            value = int(value)
        shown = value if self.integer else value / factor
        if self.above is not None and not shown > self.above:
            raise refuse()
        if self.at_least is not None and not shown >= self.at_least:
            raise refuse()
        if self.at_most is not None and not shown <= self.at_most:
            raise refuse()
        return value

    def show(self, value):
        """The value in its unit, as a person writes it."""
        if self.choices:
            return str(value)
        text = str(value) if self.integer else f"{value / unit(self.unit)[0]:.8g}"
        return text + (f" {self.unit}" if self.unit != "1" else "")


# The seed of anything random: numpy's generators and files of results keep 64 bits of it.
SEED = Entry("seed", 0, integer=True, at_least=0, at_most=2**64 - 1)
_EXACT = 2**53  # beyond it not every whole number is a float


def _counts(given):
    """Whether a number is whole by its type: it has every digit."""
    return hasattr(given, "__index__") and not hasattr(given, "dim")


def _exactly(digits):
    """A number in words with every digit of it, if it is a whole one."""
    number = decimal.Decimal(digits)
    if not number.is_finite() or number.adjusted() > 308:  # beyond every float
        return float(number)
    return int(number) if number == number.to_integral_value() else float(number)


def split_quantity(text):
    """``"20 ms"`` as ("20", "ms"); the number is None where there is none."""
    found = re.fullmatch(
        r"\s*([-+]?(?:\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf|infinity))"
        r"\s*((?:(?:1?/)?[A-Za-zµμ][A-Za-zµμ0-9*/^]*)?)\s*",
        text,
        flags=re.IGNORECASE,
    )
    if not found:
        return None, ""
    name = re.sub("[µμ]", "u", found[2])
    return found[1].replace("_", ""), "1" + name if name.startswith("/") else name


def _read_table(text):
    table = tomllib.loads(text)
    aliases = {k: tuple(v) for k, v in table.pop("aliases", {}).items()}
    entries = {}
    for name, row in table.items():
        row["choices"] = tuple(row.get("choices", ()))
        entries[name] = Entry(name=name, **row)
    return entries, aliases


@functools.cache
def reference_table():
    """The reference set: ``(entries, aliases)``, read from ``models/params/reference.toml``."""
    source = importlib.resources.files("cbnet.models") / "params" / "reference.toml"
    return _read_table(source.read_text(encoding="utf-8"))


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
        from ..theory.scaling import scale

        return scale(self, law, K, **options)

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
        from .model import Model

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
