"""Rules for the number of neurons, such as ``"8K"`` or ``"max(4000, 4*K)"``."""

import math
import re

from ..errors import ParameterError
from ..support.expressions import parse

_FUNCTIONS = (("max", max), ("min", min))


def check(rule, label):
    """Raise ParameterError unless a rule can be understood."""
    evaluate(rule, 1000, label)


def evaluate(rule, K, label):
    """The whole number that a rule gives for an in-degree.

    Examples
    --------
    >>> from cbnet.sweeps.rules import evaluate
    >>> evaluate("max(4000, 8K)", 400, "N_E")
    4000
    """
    expected = (
        f"{label}: got {rule!r}; expected a whole number or a rule such as '8K' or 'max(4000, 4K)'"
    )
    if isinstance(rule, bool) or not isinstance(rule, int | str):
        raise ParameterError(expected)
    text = re.sub(r"(?<=[\d.)])\s*K\b", "*K", str(rule))
    try:
        found = parse(text, _FUNCTIONS)({"K": K})
    except (ArithmeticError, KeyError, TypeError, ValueError):
        raise ParameterError(expected) from None
    if not math.isfinite(found) or abs(found - round(found)) > 1e-9 * abs(found) or found < 1:
        raise ParameterError(
            f"{label}: got {rule!r}, which is {found:g} for K = {K}; expected a whole number above "
            "0"
        )
    return round(found)
