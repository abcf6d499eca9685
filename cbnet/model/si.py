"""Floats in SI units that know their unit."""

from types import SimpleNamespace

from .units import unit


class SI(float):
    """A float in SI units that is taken wherever a quantity is, without an import of Brian2."""

    def __new__(cls, value, unit_name="1"):
        made = super().__new__(cls, value)
        made.unit, made.dim = unit_name, SimpleNamespace(_dims=unit(unit_name)[1])
        return made

    def __str__(self):
        return f"{float(self) / unit(self.unit)[0]:.8g}" + f" {self.unit}" * (self.unit != "1")
