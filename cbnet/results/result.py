"""Results: numbers with names and units, and everything that made them.

A result is a frozen dataclass whose fields are declared with :func:`variable`. From the
declarations follow its ``repr``, its JSON (:meth:`Result.to_dict`), its labelled arrays
(:meth:`Result.to_xarray`) and its file (:meth:`Result.save`, :func:`load`).

What is undefined, such as the CV of a silent neuron, is NaN in memory and in files, ``null`` in
JSON.
"""

import dataclasses
import functools
import importlib
import importlib.metadata
import json
import math
import platform
from pathlib import Path

import numpy as np

from ..errors import ParameterError
from ..model.network import Network
from ..model.parameters import Parameters
from ..model.units import base_units, to_quantity, unit
from ..support import checksum, files

FORMAT = 2  # of files; those of cbnet 0.1 bear no number and count as 1
KINDS = {}
# Where the kinds of results are defined, for those that no module in use has imported.
DEFINED_IN = {
    "Comparison": "comparison",
    "Continuation": "theory.continuation",
    "NeuronSimulation": "simulation.event_driven",
    "Response": "theory.response",
    "Simulation": "simulation.measure.measured",
    "Solution": "theory.self_consistency",
    "Stability": "theory.stability",
    "NetworkComparison": "network_comparison",
    "NetworkSimulation": "simulation.measure.network_simulation",
    "NetworkRateDistribution": "theory.network_heterogeneity",
    "NetworkSolution": "theory.network_states",
    "NetworkStability": "theory.network_stability",
    "Tuned": "theory.tune",
    "Sweep": "sweeps.table",
    "Currents": "theory.currents",
    "RateDistribution": "theory.heterogeneity",
    "Scaling": "theory.scaling",
    "VoltageScaling": "theory.asymptotics",
    "CriticalInput": "theory.critical",
}


def variable(unit=None, dims=(), key=None, meaning=""):
    """Declare a field of a result that holds numbers or words.

    Parameters
    ----------
    unit : str, optional
        Unit in which it is shown and written to JSON; who reads the attribute gets a quantity.
    dims : tuple of str
        Names of its dimensions; a single dimension is also that of a list in JSON. A field
        declared without any may still hold an array: its dimensions are then input_0, input_1, ...
    key : str, optional
        Its JSON key, unit included; left out of the JSON if not given.
    meaning : str
        One line for the file and for readers.
    """
    return dataclasses.field(metadata={"unit": unit, "dims": dims, "key": key, "meaning": meaning})


@functools.cache
def versions():
    """Versions of what computes: part of every result."""
    found = {"python": platform.python_version()}
    for name in ("cbnet", "brian2", "numpy", "scipy"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            from .. import __version__

            found[name] = __version__  # a checkout on the path, not installed
    return found


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Result:
    """Base of all results.

    Fields with a unit take quantities, or numbers in SI units, and keep the numbers: they become
    quantities when somebody reads them, so that saving and printing do not import Brian2.

    Attributes
    ----------
    parameters : Parameters or Network
        What it was computed for.
    versions : dict
        Of Python, cbnet, Brian2, numpy and scipy.
    unused : tuple of str
        What was set among the parameters and does not enter this answer.
    """

    parameters: Parameters
    versions: dict = dataclasses.field(default_factory=versions)
    unused: tuple = ()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        KINDS[cls.__name__] = cls

    def __post_init__(self):
        numbers = {
            name: _in_si(self.__dict__.pop(name), meta["unit"], name)
            for name, meta in self._variables().items()
            if meta["unit"] is not None
        }
        object.__setattr__(self, "_numbers", numbers)

    def __getattr__(self, name):  # called for what the instance itself does not hold
        if name.startswith("_") or name not in self._numbers:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return to_quantity(self._numbers[name], self._variables()[name]["unit"])

    def __dir__(self):
        return sorted({*super().__dir__(), *self._numbers})

    @classmethod
    @functools.cache
    def _variables(cls):
        return {f.name: f.metadata for f in dataclasses.fields(cls) if "dims" in f.metadata}

    def in_si(self, name):
        """A field as plain numbers in SI units; words as they are."""
        return self._numbers[name] if name in self._numbers else getattr(self, name)

    def in_units(self, name):
        """A field as plain numbers in the unit it is shown in."""
        meta, value = self._variables()[name], self.in_si(name)
        return value if meta["unit"] is None else np.asarray(value) / unit(meta["unit"])[0]

    def to_dict(self):
        """The JSON object that the command line prints: plain numbers, None where undefined."""
        found = {
            meta["key"]: plain(self.in_units(name))
            for name, meta in self._variables().items()
            if meta["key"]
        }
        return found | ({"unused": list(self.unused)} if self.unused else {})

    def to_xarray(self):
        """Labelled arrays in SI base units, with parameters and versions as attributes.

        Returns
        -------
        xarray.Dataset
        """
        import xarray as xr

        data = {}
        for name, meta in self._variables().items():
            attributes = {"long_name": meta["meaning"] or name}
            if meta["unit"] is not None:
                attributes |= {"units": base_units(meta["unit"]), "shown_in": meta["unit"]}
            array = np.asarray(self.in_si(name))
            data[name] = xr.Variable(_dimensions(meta, array.ndim), array, attributes)
        attributes = {
            "cbnet_result": type(self).__name__,
            "cbnet_format": str(FORMAT),
            "parameters": json.dumps(self.parameters.to_dict(), sort_keys=True),
            "versions": json.dumps(self.versions, sort_keys=True),
            "unused": json.dumps(self.unused),
        }
        return xr.Dataset(data, attrs=attributes)

    @classmethod
    def from_xarray(cls, dataset):
        """The inverse of :meth:`to_xarray`."""
        values = {}
        for name in cls._variables():
            array = dataset[name].values
            value = array[()] if array.ndim == 0 else array
            values[name] = value.item() if isinstance(value, np.generic) else value
        return cls(
            parameters=_asked(json.loads(dataset.attrs["parameters"])),
            versions=json.loads(dataset.attrs["versions"]),
            unused=tuple(json.loads(dataset.attrs.get("unused", "[]"))),
            **values,
        )

    def save(self, path, overwrite=False):
        """Write a netCDF file that :func:`load` turns back into this object.

        Parameters
        ----------
        path : str or Path
            Where; nothing is left there if writing fails.
        overwrite : bool
            Replace an existing file.

        Raises
        ------
        ParameterError
            If the file exists and `overwrite` is not set, or the folder cannot be written.
        SavingError
            If the disk is full or fails.
        """
        return files.write(path, files.netcdf(self.to_xarray()), overwrite)

    def __eq__(self, other):
        if type(self) is not type(other) or self.parameters != other.parameters:
            return False
        if self.versions != other.versions:
            return False
        for name, meta in self._variables().items():
            mine, theirs = (np.asarray(one.in_si(name)) for one in (self, other))
            numeric = mine.dtype.kind == "f" or meta["unit"] is not None
            if not np.array_equal(mine, theirs, equal_nan=numeric):
                return False
        return True

    __hash__ = None

    def __repr__(self):
        lines = [f"<{type(self).__name__}: {self.parameters!r}>"]
        for name, meta in self._variables().items():
            shown = self.in_units(name)
            suffix = f" {meta['unit']}" if meta["unit"] not in (None, "1") else ""
            if np.ndim(shown):
                text = f"{_dimensions(meta, np.ndim(shown))} {np.shape(shown)}{suffix}"
            elif isinstance(shown, str | bool | int):
                text = f"{shown}{suffix}"
            else:
                text = "undefined" if np.isnan(shown) else f"{float(shown):.6g}{suffix}"
            lines.append(f"  {name:<14} {text}")
        return "\n".join([*lines, *self._not_used()])

    def _not_used(self):
        """The line of the ``repr`` that names what was set and not used, if there is any."""
        return [f"  {'not used':<14} {', '.join(self.unused)}"] if self.unused else []


def _asked(stored):
    """Parameters, or a network, from what their ``to_dict`` gave."""
    kind = Network if "populations" in stored else Parameters
    return kind.from_dict(stored)


def _in_si(value, unit_name, name):
    """A quantity or a number in SI as plain numbers."""
    if not hasattr(value, "dim"):
        return value
    expected = unit(unit_name)[1]
    if tuple(value.dim._dims) != expected:
        raise ParameterError(f"{name}: got a quantity in {value.dim}; expected one in {unit_name}")
    plain_value = np.asarray(value)
    return plain_value if plain_value.ndim else plain_value.item()


def _dimensions(meta, ndim):
    return meta["dims"] or tuple(f"input_{i}" for i in range(ndim))


def plain(value):
    """Numbers, arrays and words as JSON takes them; what is not finite becomes None."""
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value] if value.ndim else plain(value.item())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def load(path):
    """Read a result that :meth:`Result.save` wrote.

    Parameters
    ----------
    path : str or Path
        A netCDF file.

    Returns
    -------
    Result
        Of the class that was saved, equal to it.

    Raises
    ------
    ParameterError
        If the file is missing, is not a result of cbnet, or is one of a version that kept other
        numbers.
    DamagedError
        If its content is not what was saved.

    Warns
    -----
    CbnetWarning
        If it has no checksum, as those of cbnet 0.1.0.
    """
    path = Path(path)
    if not path.is_file():
        raise ParameterError(f"{path}: got no such file; expected a result saved by cbnet")
    dataset = files.read_netcdf(path)
    kind = dataset.attrs.get("cbnet_result")
    if kind in DEFINED_IN:
        importlib.import_module(f"cbnet.{DEFINED_IN[kind]}")
    if kind not in KINDS:
        raise ParameterError(f"{path}: got a netCDF file that cbnet did not write")
    dataset, kind = checksum.opened(dataset, path), KINDS[kind]
    made_by = json.loads(dataset.attrs.get("versions", "{}")).get("cbnet", "another version")
    if (number := int(dataset.attrs.get("cbnet_format", 1))) > FORMAT:
        raise ParameterError(
            f"{path}: got a file of format {number}; expected at most {FORMAT}: open it with "
            f"what made it, cbnet {made_by}"
        )
    missing = [name for name in getattr(kind, "_variables", dict)() if name not in dataset]
    if missing:
        raise ParameterError(
            f"{path}: got a {kind.__name__} of format {number} without {missing[0]}; expected one "
            f"of format {FORMAT}: open it with what made it, cbnet {made_by}"
        )
    return kind.from_xarray(dataset)
