"""What a network is: equation strings, the values they go with, and what follows from both."""

from .model import Coupling, Derived, Model
from .parameters import Entry, Parameters

__all__ = ["Coupling", "Derived", "Entry", "Model", "Parameters"]
