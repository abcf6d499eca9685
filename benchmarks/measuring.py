"""Rows of a benchmark: two programs run in turn, medians of ratios with their range."""

import statistics
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    work : str
        What was done.
    required : float
        The least ratio, or the largest value where `unit` is not ``"x"``; NaN if nothing is asked.
    values : tuple of float
        One for every repeat.
    unit : str
        ``"x"`` for a ratio of plain Brian2's cost to cbnet's.
    more : dict
        What else was measured, with units in the names.
    """

    work: str
    required: float
    values: tuple
    unit: str = "x"
    more: dict = field(default_factory=dict)

    @property
    def median(self):
        """Of the repeats."""
        return statistics.median(self.values)

    @property
    def met(self):
        """Whether the requirement is; None if there is none."""
        if self.required != self.required:
            return None
        return bool(
            self.median >= self.required if self.unit == "x" else self.median <= self.required
        )

    def to_dict(self):
        """Ready for JSON: what is not asked is null."""
        required = None if self.required != self.required else self.required
        return {**asdict(self), "required": required, "median": self.median, "met": self.met}

    def __str__(self):
        sign = "≥" if self.unit == "x" else "≤"
        asked = "" if self.met is None else f"{sign} {self.required:g}"
        verdict = {None: "", True: "met", False: "MISSED"}[self.met]
        spread = f"{min(self.values):.3g}–{max(self.values):.3g}"
        more = ", ".join(
            f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in self.more.items()
        )
        value = f"{self.median:.3g} {self.unit}"
        return f"{self.work:58} {asked:>7} {value:>11} {spread:>13} {verdict:6} {more}"


def in_turn(repeats, *functions):
    """What each function returned in each repeat: run A B A B, so that all see one machine."""
    found = [[] for _ in functions]
    for _ in range(repeats):
        for results, function in zip(found, functions, strict=True):
            results.append(function())
    return found


def ratios(plain, cbnet):
    """Cost of plain over cost of cbnet, repeat by repeat."""
    return tuple(a / b for a, b in zip(plain, cbnet, strict=True))
