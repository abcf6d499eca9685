"""A row of the table of parameters: what a value means, and whether it may be used."""

import decimal
import difflib
import functools
import importlib
import importlib.resources
import math
import operator
import re
import tomllib
from dataclasses import asdict, dataclass

from ..errors import ModelError, ParameterError
from .si import SI
from .units import ONE, unit


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
                if dims != ONE:
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
            got_dims = tuple(given.dim._dims) if hasattr(given, "dim") else ONE
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


def entry_of(name, given, place, owner):
    """The row of a parameter.

    Parameters
    ----------
    name : str
    given : Quantity, float, str or Entry
        Its default; a string with a unit is for a parameter of the reference set.
    place : str
        What stands before the colon of an error.
    owner : str
        Whose parameter it is, for the table: ``"model leaky"``.

    Returns
    -------
    Entry

    Raises
    ------
    ModelError, ParameterError
        If it is no value, or has the wrong unit.
    """
    if isinstance(given, Entry):
        return _checked(name, given, place)
    base = reference_table()[0].get(name)
    if base is not None:
        value = base.parse(given, place)
        shown = value if base.choices or base.integer else value / unit(base.unit)[0]
        return Entry(**{**asdict(base), "value": shown, "source": owner})
    try:
        value = math.nan if isinstance(given, str | bool) else float(given)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        shown = " ".join(str(given).split())
        raise ModelError(
            f"{place}: got {shown}; expected one quantity or number that is finite, or an Entry"
        )
    shown_unit = _best_unit(given) if hasattr(given, "dim") else "1"
    value /= unit(shown_unit)[0]
    return Entry(name, value, shown_unit, name, f"parameter of {owner}", owner)


def shown_in(value, unit_name):
    """A value in SI as a number of a unit, such that the product is the value to the last digit."""
    factor = unit(unit_name)[0]
    plain = value / factor
    rounded = float(f"{plain:.15g}")
    return rounded if rounded * factor == value else plain


def _checked(name, given, place):
    if given.name != name:
        raise ModelError(f"{place}: got an Entry called {given.name!r}; expected {name!r}")
    try:
        unit(given.unit)
    except KeyError:
        raise ModelError(
            f"{place}: got the unit {given.unit!r}; expected one of Brian2's, such as mV"
        ) from None
    if given.follows is None:
        number = given.unit == "1" or given.choices or isinstance(given.value, str)
        shown = given.value if number else _quantity(given.value, given.unit)
        try:
            given.parse(shown, place)
        except ParameterError as error:
            raise ModelError(str(error)) from None
    return given


def _best_unit(given):
    """The name of a unit in which a quantity is a number that is easy to read."""
    shown = str(given.get_best_unit()).replace(" ", "")
    try:
        if unit(shown)[1] == tuple(given.dim._dims):
            return shown
    except KeyError:
        pass
    symbols = ("metre", "kilogram", "second", "amp", "kelvin", "mole", "candle")
    return "*".join(
        f"{s}^{n:g}" if n != 1 else s for s, n in zip(symbols, given.dim._dims, strict=True) if n
    )


def _quantity(value, unit_name):
    factor = unit(unit_name)[0]
    return SI(value * factor if isinstance(value, int | float) else math.nan, unit_name)
