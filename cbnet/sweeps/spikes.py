"""Spike trains of a sweep as Neo objects, and as an NWB file."""

import datetime
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np

from ..errors import ParameterError
from ..support import files
from . import plan

_INSTALL = "python -m pip install 'cbnet[neo]'"


def _module(name):
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ParameterError(f"spikes: got no package {name!r}; install it: {_INSTALL}") from error


def to_neo(found):
    """A Neo block of a :class:`cbnet.sweeps.table.Results`."""
    neo, quantities = _module("neo"), _module("quantities")
    data, grid = found.dataset, found.grid
    if "simulation_spike_times" not in data:
        raise ParameterError(
            "spikes: got a sweep without any; expected record = a number of neurons in its grid"
        )
    block = neo.Block(name="cbnet sweep")
    status = data["simulation_status"]
    for index in np.ndindex(status.shape):
        if status.values[index] != "finished":
            continue
        place = dict(zip(status.dims, index, strict=True))
        one = data.isel(place)
        about = {
            name: _plain(coordinate.values[()])
            for name, coordinate in one.coords.items()
            if coordinate.ndim == 0
        }
        label = ", ".join(_told(grid, name, value) for name, value in about.items())
        segment = neo.Segment(name=label, **about)
        start = float(one["simulation_transient"])
        stop = start + grid.options["duration"]
        recorded = one["simulation_recorded"].values
        times, neurons = (
            one[f"simulation_{name}"].values for name in ("spike_times", "spike_neurons")
        )
        for neuron in recorded[np.isfinite(recorded)].astype(int):
            mine = times[neurons == neuron]
            segment.spiketrains.append(
                neo.SpikeTrain(
                    mine * quantities.s,
                    t_start=start * quantities.s,
                    # a spike in the last step may be at its end
                    t_stop=max(stop, float(mine.max(initial=0))) * quantities.s,
                    name=f"neuron {neuron}",
                    neuron=int(neuron),
                )
            )
        block.segments.append(segment)
    return block


def _told(grid, name, value):
    return f"{name} = {value if name == 'seed' else plan.shown(grid, name, value)}"


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def write_nwb(found, path):
    """Write the spike trains of a sweep to an NWB file, through Neo."""
    path = Path(path)
    if path.exists():
        raise files.exists(path)
    _module("pynwb")
    block = to_neo(found)
    block.annotate(
        session_description="simulated spike trains of a cbnet sweep",
        identifier=str(path.name),
        session_start_time=datetime.datetime.now(datetime.UTC),
    )
    block.rec_datetime = datetime.datetime.now(datetime.UTC)

    def fill(file):
        with tempfile.TemporaryDirectory(prefix="cbnet-") as folder:
            made = Path(folder) / "x.nwb"
            writer = _module("neo.io").NWBIO(str(made), mode="w")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of Neo's calls of pynwb
                writer.write(block)
            if hasattr(writer, "close"):
                writer.close()
            with made.open("rb") as source:
                shutil.copyfileobj(source, file)

    return files.write(path, fill)
