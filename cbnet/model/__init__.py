"""What a network is: equation strings, the values they go with, and what follows from both."""

from .entry import Entry
from .model import Coupling, Derived, Model
from .parameters import Parameters

__all__ = ["Coupling", "Derived", "Entry", "Model", "Parameters"]
