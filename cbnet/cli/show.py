"""``cbnet show``: a saved result, or a sweep, as a table and a quick plot."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ParameterError
from ..support import files
from . import network, networks, neuron, options, output, simulate, tables
from .compare import show as show_comparison

EXAMPLES = (
    "cbnet show network-conductance.nc",
    "cbnet show network-conductance.nc --plot network.png",
)

_SHOWN = {
    "Response": neuron.show,
    "Currents": neuron.show_currents,
    "NeuronSimulation": neuron.show,
    "Solution": network.show,
    "Simulation": simulate.show,
    "Comparison": show_comparison,
    "NetworkSolution": networks.show_states,
    "NetworkSimulation": networks.show_simulation,
    "NetworkComparison": networks.show_comparison,
    "Results": tables.show_sweep,
}


def show(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A result saved by cbnet, a folder with one in it, or the folder of a sweep.",
            show_default=False,
        ),
    ],
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="PICTURE",
            help="Also draw it, in this file; the ending says the kind, as in figure.pdf.",
            show_default=False,
        ),
    ] = None,
    nwb: Annotated[
        str | None,
        typer.Option(
            "--nwb",
            metavar="FILE.nwb",
            help="Also write the spike trains that a sweep recorded, as Neurodata Without Borders.",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
):
    """A table, and with --plot a quick plot, of a saved result or a sweep."""
    from ..results import load

    target = None if plot is None else _free(plot)
    folder = _sweep(file)
    result = load(_found(file)) if folder is None else folder
    kind = type(result).__name__
    if nwb is not None and kind != "Results":
        raise ParameterError(f"--nwb: got {nwb!r} for a result that is no sweep; expected a sweep")
    figure = None if target is None else _drawn(result, kind)
    if as_json:
        output.print_json(result.to_dict())
    else:
        _SHOWN.get(kind, _plain)(result)
    if target is not None:
        from ..results.plotting import drawing

        output.announce(files.write(target, drawing(figure, target.suffix[1:])), as_json)
    if nwb is not None:
        from ..sweeps.spikes import write_nwb

        output.announce(write_nwb(result, nwb), as_json)


def _drawn(result, kind):
    """The quick plot of a result."""
    if kind == "Results":
        from ..sweeps.drawing import draw
    else:
        from ..results import plotting, plotting_networks

        draw = {
            "Comparison": plotting.comparison,
            "NetworkComparison": plotting_networks.comparison,
            "NetworkSimulation": plotting_networks.simulation,
        }.get(kind, plotting.quick)
    return draw(result)


def _sweep(file):
    """The results of a sweep in this folder or file of Zarr, if there is one."""
    from ..sweeps.store import GRID

    if not (Path(file) / GRID).is_file() and not file.rstrip("/").endswith(".zarr"):
        return None
    from ..sweeps.sweep import open_sweep

    return open_sweep(file)


def _plain(result):
    out = tables.console()
    noise = result.to_dict().get("noise")
    tables.header(out, result.parameters, type(result).__name__, noise, unused=result.unused)
    out.print(tables.quantities(result))


def _found(file):
    path = Path(file)
    if not path.is_dir():
        return path
    inside = sorted(path.glob("*.nc"))
    if len(inside) != 1:
        names = ", ".join(p.name for p in inside) or "none"
        raise ParameterError(f"FILE: got the folder {file!r} with {names}; expected one result")
    return inside[0]


def _free(plot):
    path = Path(plot)
    if path.exists():
        raise ParameterError(f"--plot: got {plot!r}, which exists; give another name")
    if not path.parent.is_dir():
        raise ParameterError(f"--plot: got {plot!r}; expected a file in an existing folder")
    from matplotlib.backend_bases import FigureCanvasBase

    known = sorted(FigureCanvasBase.filetypes)
    if path.suffix.removeprefix(".").lower() not in known:
        raise ParameterError(f"--plot: got {plot!r}; expected an ending of {', '.join(known)}")
    return path
