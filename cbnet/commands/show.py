"""``cbnet show``: a saved result as a table and a quick plot."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ParameterError
from . import network, neuron, options, output, simulate, tables
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
}


def show(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A result saved by cbnet, or a folder with one in it.",
            show_default=False,
        ),
    ],
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Also draw it, in this file; the ending says the kind, as in figure.pdf.",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
):
    """A table, and with --plot a quick plot, of a saved result."""
    from ..results import load

    target = None if plot is None else _free(plot)
    result = load(_found(file))
    if target is not None:
        from .. import plotting

        kind = type(result).__name__
        draw = plotting.comparison if kind == "Comparison" else plotting.quick
        output.save_figure(draw(result), target)
    if as_json:
        output.print_json(result.to_dict())
        return
    _SHOWN.get(type(result).__name__, _plain)(result)
    output.announce(target)


def _plain(result):
    out = tables.console()
    noise = result.to_dict().get("noise")
    tables.header(out, result.parameters, type(result).__name__, noise)
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
