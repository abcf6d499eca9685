"""Results: numbers with names and units, kept with everything that made them."""

from .result import Result, load, plain, variable, versions

__all__ = ["Result", "load", "plain", "variable", "versions"]
