"""The results of a sweep: one labelled dataset, a tidy table, spike trains."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import DamagedError, ParameterError, warn
from ..model.units import base_units, unit
from ..results.result import KINDS, plain
from ..support import checksum, files, scratch
from . import identity, keep, plan
from .grid import Grid
from .store import Store

NETCDF, ZARR = "results.nc", "results.zarr"
_LARGE = 200_000_000  # bytes from which Zarr, in chunks, is the better file
MISSING, FINISHED, FAILED, REFUSED = "missing", "finished", "failed", "refused"


@dataclass(frozen=True, eq=False)
class Results:
    """What a sweep has computed.

    Attributes
    ----------
    dataset : xarray.Dataset
        Dimensions are the axes, ``seed`` for simulations, ``fixed_point`` for the states of a
        network; numbers in SI base units with ``units`` and ``shown_in`` as attributes; NaN where
        nothing is (yet), or undefined. ``theory_status`` and ``simulation_status`` say which.
    grid : Grid
    failures : list of dict
        ``point`` in words, ``kind``, ``message``.
    """

    dataset: object
    grid: object
    failures: list = field(default_factory=list)

    def to_dataframe(self):
        """A tidy table for seaborn: a row for each theory state and each simulation.

        Returns
        -------
        pandas.DataFrame
            Columns of the axes and results in the units that people read, units in their names
            (``nu_X_Hz``, ``rate_E_Hz``); ``source`` is ``"theory"`` or ``"simulation"``. Only what
            has no further dimension is in it, of finished points.
        """
        import pandas as pd

        parts = []
        for source in ("theory", "simulation"):
            if f"{source}_status" not in self.dataset:
                continue
            prefix = f"{source}_"
            status = self.dataset[f"{source}_status"]
            dims = (*status.dims, *(("fixed_point",) if source == "theory" else ()))
            names = [
                n
                for n, x in self.dataset.data_vars.items()
                if n.startswith(prefix) and set(x.dims) <= set(dims) and n != f"{source}_status"
            ]
            some = self.dataset[[*names, f"{source}_status"]].drop_vars(
                "fixed_point", errors="ignore"
            )
            frame = some.to_dataframe().reset_index()
            frame = frame[frame[f"{source}_status"] == FINISHED].drop(columns=f"{source}_status")
            rates = [n for n in names if n.startswith(f"{prefix}rate") and not n.endswith("_sem")]
            if source == "theory" and rates:
                frame = frame[frame[rates].notna().any(axis=1)]
            shown = {}
            for name in frame.columns:
                if name not in self.dataset.variables:
                    continue
                inside = self.dataset[name].attrs.get("shown_in", "1")
                plain = name.removeprefix(prefix)
                if inside not in ("1", ""):
                    frame[name] = frame[name] / unit(inside)[0]
                    frame[name] = frame[name].map(lambda x: float(f"{x:.15g}"))
                    plain = f"{plain}_{inside.replace('/', '_per_')}"
                shown[name] = plain
            # what an axis sets is not said again as a result
            axes = {shown.get(name, name) for name in self.dataset.coords}
            frame = frame.drop(columns=[n for n in names if n in shown and shown[n] in axes])
            frame = frame.rename(columns=shown)
            if "seed" in frame:  # beside theory, which has none, numpy would make floats of them
                frame["seed"] = frame["seed"].astype("UInt64")
            parts.append(frame.assign(source=source))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def to_neo(self):
        """Spike trains of the recorded neurons as a Neo block, a segment for each simulation.

        Returns
        -------
        neo.Block
            Segments carry the values of the axes as annotations.

        Raises
        ------
        ParameterError
            If no spikes were kept, or Neo is not installed.
        """
        from . import spikes

        return spikes.to_neo(self)

    def save(self, path, overwrite=False):
        """Write netCDF, or Zarr if the name ends in ``.zarr``; whole, or not at all."""
        path = Path(path)
        if path.suffix != ".zarr":
            return files.write(path, files.netcdf(self.dataset), overwrite)
        if path.exists() and not overwrite:
            raise files.exists(path)
        _save_zarr(checksum.sealed(self.dataset), path)
        return path

    @classmethod
    def from_xarray(cls, dataset):
        """From the dataset of a file."""
        grid = Grid.from_dict(json.loads(dataset.attrs["grid"]))
        return cls(dataset, grid, json.loads(dataset.attrs.get("failures", "[]")))

    def to_xarray(self):
        """The dataset."""
        return self.dataset

    def to_dict(self):
        """Rows of :meth:`to_dataframe` as plain numbers, None where undefined; failures."""
        rows = self.to_dataframe().to_dict("records")
        return {
            "rows": [{k: plain(v) for k, v in row.items()} for row in rows],
            "failures": self.failures,
        }

    def __repr__(self):
        sizes = ", ".join(f"{name} {n}" for name, n in self.dataset.sizes.items())
        return f"<Results of a sweep: {sizes}; {len(self.failures)} failed>"


KINDS["Sweep"] = Results


def collect(folder, planned=None):
    """Everything that the last run of a folder has for its grid.

    Parameters
    ----------
    folder : str or Path
    planned : Plan, optional
        Made again from the grid in the folder if not given.

    Returns
    -------
    Results
    """
    store = Store(folder)
    planned = plan.make(store.grid()) if planned is None else planned
    contents = store.read(*store.last_made())
    if contents.damaged:
        count = len(contents.damaged)
        warn(
            f"{contents.damaged[0]}: {f'and {count - 1} more ' * (count > 1)}damaged, and left "
            "out; cbnet sweep computes its points again",
        )
    return assemble(planned, contents)


def assemble(planned, contents):
    """The dataset of a grid from what is finished."""
    import xarray as xr

    grid = planned.grid
    data, versions, failures = {}, {}, []
    dims = tuple(axis.dimension for axis in grid.axes)
    for kind in ("theory", "simulation"):
        units = [unit for unit in planned.units if unit.kind == kind]
        if not getattr(grid, kind):
            continue
        shape = grid.shape + ((len(grid.seeds),) if kind == "simulation" else ())
        own = (*dims, "seed") if kind == "simulation" else dims
        data |= _columns(grid, kind, units, contents, shape, own, versions)
        status = np.full(shape, MISSING, dtype="U8")
        for point, what, _ in planned.refused:
            if what in (kind, "both"):
                status[point.index] = REFUSED
        for one in units:
            record = contents.finished.get(one.identity)
            words = FINISHED if record else FAILED if one.identity in contents.failed else MISSING
            for place in one.places:
                status[place] = words
            if words == FAILED:
                message = contents.failed[one.identity]["message"]
                failures.append({"point": one.label(grid), "kind": kind, "message": message})
        data[f"{kind}_status"] = xr.Variable(own, status.astype(object))
    coordinates = {}
    for axis in grid.axes:
        for name, values, shown in zip(axis.names, axis.values, axis.units, strict=True):
            attributes = {}
            if shown and shown != "1":
                attributes = {"units": base_units(shown), "shown_in": shown}
            coordinates[name] = xr.Variable((axis.dimension,), _labels(values), attributes)
    if grid.simulation:
        coordinates["seed"] = xr.Variable(("seed",), _labels(grid.seeds))
    attributes = {
        "cbnet_result": "Sweep",
        "grid": json.dumps(grid.to_dict(), sort_keys=True),
        "versions": json.dumps(versions, sort_keys=True),
        "failures": json.dumps(failures),
    }
    return Results(xr.Dataset(data, coordinates, attributes), grid, failures)


def _labels(values):
    """Values of an axis as an array that keeps every digit of whole numbers."""
    if isinstance(values[0], str):
        return np.array(values, object)
    if all(isinstance(value, int) for value in values) and max(values) >= 2**63:
        return np.array(values, np.uint64)  # numpy would make floats of large and small together
    return np.array(values)


def _columns(grid, kind, units, contents, shape, dims, versions):
    """Variables by name from the records of these units."""
    import xarray as xr

    what = "simulation" if kind == "simulation" else grid.subject
    declared = {n: m for n, m in keep.variables(what).items() if n in grid.keep}
    by_record = {}
    for one in units:
        found = contents.finished.get(one.identity)
        if found is None:
            continue
        record, row = found
        rows, places = by_record.setdefault(id(record), (record, [], []))[1:]
        for place in one.places:
            rows.append(row)
            places.append(place)
    parts = [
        (record, np.array(rows), np.ravel_multi_index(np.array(places).T, shape))
        for record, rows, places in by_record.values()
    ]
    data = {}
    for name, meta in declared.items():
        having = [part for part in parts if name in part[0].arrays]
        inner = _inner_shape([record.arrays[name].shape[1:] for record, _, _ in having], meta)
        wordy = name in keep.words(what)
        filled = np.full(
            (int(np.prod(shape)), *inner), "" if wordy else np.nan, object if wordy else float
        )
        for record, rows, places in having:
            array = record.arrays[name][rows]
            cut = tuple(slice(0, n) for n in array.shape[1:])
            filled[(places, *cut)] = array
        attributes = {"long_name": meta["meaning"] or name}
        if meta["unit"] is not None:
            attributes |= {"units": base_units(meta["unit"]), "shown_in": meta["unit"]}
        inner_dims = meta["dims"] if inner else ()
        data[f"{kind}_{name}"] = xr.Variable(
            (*dims, *inner_dims), filled.reshape(*shape, *inner), attributes
        )
    tags = np.full(int(np.prod(shape)), "", object)
    for record, _, places in parts:
        tag = identity.tag(record.kind, record.made)
        versions[tag] = {"kind": kind, **record.made}
        tags[places] = tag
    data[f"{kind}_versions"] = xr.Variable(dims, tags.reshape(shape))
    if kind == "theory":
        noises = np.full(int(np.prod(shape)), "", object)
        for record, rows, places in parts:
            about = [record.about[row].get("noise", "") for row in rows]
            noises[places] = about
        data["theory_noise"] = xr.Variable(dims, noises.reshape(shape))
    return data


def _inner_shape(shapes, meta):
    """The shape that holds all of them: some have fewer spikes, or fixed points."""
    if not shapes:
        return (0,) * len(meta["dims"])
    return tuple(max(lengths) for lengths in zip(*shapes, strict=True))


def _save_zarr(dataset, path):
    draft = scratch.Folder(".zarr-draft-", path.parent)
    temporary = draft.path
    try:
        dataset.to_zarr(temporary / "new", mode="w", consolidated=False)
        if path.exists():
            path.rename(temporary / "old")
        (temporary / "new").rename(path)
    finally:
        draft.remove()


def load_zarr(path):
    """The results that :meth:`Results.save` wrote as Zarr.

    Raises
    ------
    ParameterError
        If there is no such file, or it is none of a sweep.
    DamagedError
        If it is not what was written.
    """
    import xarray as xr

    try:
        stored = xr.open_zarr(path, decode_times=False, consolidated=False).load()
    except Exception as error:  # of Zarr, of its codecs, of the system: whatever is damaged
        if not Path(path).exists():
            raise ParameterError(f"{path}: got no such file; expected a sweep as Zarr") from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DamagedError(f"{path}: cannot be read as Zarr ({reason})") from error
    if stored.attrs.get("cbnet_result") != "Sweep":
        raise ParameterError(f"{path}: got a file of Zarr that cbnet did not write")
    return Results.from_xarray(checksum.opened(stored, path))


def write(store, found):
    """Keep the dataset in the folder of a sweep: netCDF, or Zarr if it is large; its path."""
    large = found.dataset.nbytes > _LARGE and _has_zarr()
    with store.explained():
        path = found.save(store.folder / (ZARR if large else NETCDF), overwrite=True)
        other = store.folder / (NETCDF if large else ZARR)
        shutil.rmtree(other) if other.is_dir() else other.unlink(missing_ok=True)
    return path


def _has_zarr():
    import importlib.util

    return importlib.util.find_spec("zarr") is not None
