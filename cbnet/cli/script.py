"""``cbnet script``: the network as a plain Brian2 script."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ParameterError
from ..support import files
from . import options, output

EXAMPLES = (
    "cbnet script conductance -N 2500 --set K=400 --set a=.0024",
    "cbnet script current --set tau_S=5ms --out current.py",
)


def script(
    model: options.ModelName,
    settings: options.Settings = None,
    N: options.Neurons = "10_000",
    duration: options.Duration = "1s",
    transient: options.Transient = None,
    dt: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time step, as in 0.01ms; the one that cbnet simulate takes if not given, which "
            "is long for plain Brian2: the script's first lines say how long.",
            show_default=False,
        ),
    ] = None,
    initial: options.Initial = "uniform",
    fraction_excitatory: options.FractionExcitatory = "0.8",
    seed: options.Seed = "0",
    graph_seed: options.GraphSeed = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write the script to this new file; on standard output if not given.",
            show_default=False,
        ),
    ] = None,
    debug: options.Debug = False,
):
    """The same network as a plain Brian2 script that runs by itself, to read or take away.

    It prints rates, CV of the intervals and Fano factor, and needs Brian2 and a C++ compiler only.
    """
    target = None if out is None else _new(out)
    params = options.parameters(model, settings)
    given = options.network(
        N, duration, transient, dt, initial, fraction_excitatory, seed, graph_seed
    )
    from ..simulation.script import script as write

    text = write(params, **given)
    if target is None:
        sys.stdout.write(text)
        return
    output.announce(files.write(target, text))


def _new(out):
    """The path of ``--out``, checked before the work."""
    path = Path(out)
    if path.exists() or not path.parent.is_dir():
        raise ParameterError(
            f"--out: got {out!r}; expected a file that does not exist, in a folder that does"
        )
    return path
