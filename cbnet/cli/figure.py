"""``cbnet figure``: the figures, with their data."""

import importlib
from typing import Annotated

import typer

from ..errors import ParameterError
from . import options, output, progress

EXAMPLES = (
    "cbnet figure stability --quick",
    "cbnet figure all --quick --out figures-quick",
)
FOLDER = "cbnet-figures"

Quick = Annotated[bool, typer.Option("--quick", help="Small sizes: all in a quarter of an hour.")]
Full = Annotated[bool, typer.Option("--full", help="The sizes that the claims deserve: hours.")]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Compute again what is in the folder already.")
]
Folder = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Folder of the files. What an earlier run of the same code and settings finished "
        "there, interrupted or not, is not computed again. "
        f"A new folder {FOLDER} if not given.",
        show_default=False,
    ),
]


def figure(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Which figure, or all.", show_default=False)
    ],
    quick: Quick = False,
    full: Full = False,
    out: Folder = None,
    fresh: Fresh = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
):
    """Draw figures: PDF, PNG, caption, and the netCDF file that they were drawn from.

    Names: strong_coupling, scaling, network_response, drift_diffusion, heterogeneity,
    synaptic_time_constants, network_time_constants, predictions, approximations, stability.
    """
    mode = mode_of(quick, full)
    making = importlib.import_module("cbnet.figures.making")
    names = making.chosen(name)
    files = []
    with output.folder(out or output.unused(FOLDER)) as where:
        for _, _, written in made(names, mode, where, fresh, quiet):
            files += written
            if not as_json:
                for path in written:
                    output.announce(path)
    if as_json:
        output.print_json({"mode": mode, "figures": list(names), "files": [str(f) for f in files]})


def mode_of(quick, full):
    """The mode that the options name; the quick one if there is none."""
    if quick and full:
        raise ParameterError("--quick: got --full too; expected one of them")
    return "full" if full else "quick"


def made(names, mode, where, fresh, quiet):
    """Names, data and files of figures, one after the other, with progress."""
    making = importlib.import_module("cbnet.figures.making")
    with progress.reporter(quiet) as reporter:
        reporter.stage(_expected(making, names, mode, where, fresh))
        for number, name in enumerate(names, 1):
            prefix = f"{name} ({number}/{len(names)})" if len(names) > 1 else name
            named = _Named(reporter, prefix)
            yield name, *making.make(name, mode, where, named, fresh)


def _expected(making, names, mode, where, fresh):
    """How long the figures will take, those left out that are there already."""
    missing = names if fresh else making.unfinished(names, mode, where)
    if not missing:
        return f"{mode}: computed already, drawing"
    minutes = making.minutes(missing, mode)
    length = f"{minutes / 60:.0f} hours" if minutes > 120 else f"{minutes:.2g} minutes"
    there = len(names) - len(missing)
    done = f"; {there} of {len(names)} figures are there already" if there else ""
    return f"{mode}: about {length} on two cores{done}"


class _Named:
    """Progress whose stages begin with the name of a figure."""

    def __init__(self, reporter, prefix):
        self.reporter, self.prefix = reporter, prefix

    def stage(self, name):
        """What is being done now."""
        self.reporter.stage(f"{self.prefix}: {name}")

    def update(self, fraction):
        """How much of it."""
        self.reporter.update(fraction)
