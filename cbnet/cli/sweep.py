"""``cbnet sweep``: many networks from one file, resumable."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ParameterError
from . import options, output, progress, tables

EXAMPLES = (
    "cbnet sweep grid.toml --example",
    "cbnet sweep grid.toml --out grid",
)
_LISTED = 20  # points of --dry-run
EXAMPLE = """\
model = "conductance"
run = "theory"               # "simulation", "both"
noise = "diffusion"          # of the theory
# N_E = "8K"                 # of simulations; or N = 10000
# seeds = [1, 2, 3]
# duration = "1s"

[parameters]
a = 0.0015

[axes]
K = [400, 1600]
nu_X = { linspace = ["20Hz", "80Hz", 7] }
"""


def sweep(
    grid: Annotated[
        str, typer.Argument(metavar="GRID.toml", help="What to run.", show_default=False)
    ],
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the points; that of the file's name if not given. The same folder "
            "resumes.",
            show_default=False,
        ),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Write an example of such a file, and do nothing.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what would be done, in which memory and time."),
    ] = False,
    processes: Annotated[
        str | None,
        typer.Option(
            metavar="INTEGER", help="Side by side; one a core if not given.", show_default=False
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Compute on the workers of a Dask scheduler, as in tcp://10.0.0.1:8786.",
            show_default=False,
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory that simulations may take together, as in 4GB; what is free if not given.",
            show_default=False,
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Compute again what failed before.")
    ] = False,
    keep_old: Annotated[
        bool,
        typer.Option(
            "--keep-old", help="Take what other versions computed as finished, and mark it."
        ),
    ] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
):
    """Many networks: theory, simulation or both, on every core or on a cluster; resumes."""
    if example:
        _write_example(grid)
        return
    from ..sweeps.sweep import Sweep

    given = {
        "processes": options.whole(processes, "--processes", above=0),
        "memory": options.bytes_of(memory, "--memory"),
    }
    asked = Sweep.read(grid)
    if dry_run:
        from ..sweeps import calibration

        found = calibration.estimate(asked.plan(given["memory"]), given["processes"])
        output.print_json(found) if as_json else _show_estimate(found)
        return
    folder = Path(out) if out is not None else Path(Path(grid).stem)

    def warn(line):
        print(f"cbnet: warning: {line}", file=sys.stderr, flush=True)

    with progress.reporter(quiet) as reporter:
        asked.run(
            folder,
            scheduler=scheduler,
            retry_failed=retry_failed,
            keep_old=keep_old,
            progress=reporter,
            warn=warn,
            **given,
        )
    from ..sweeps.report import describe
    from ..sweeps.store import Store
    from . import status

    told = describe(Store(folder), asked.planned, asked.contents)
    if as_json:
        output.print_json(told)
    else:
        status.show(told)
    if told["failed"] or told["refused"]:
        if as_json or quiet:
            status.list_failures(told, sys.stderr)
        raise typer.Exit(1)


def _write_example(path):
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(EXAMPLE)
    except OSError as error:
        raise ParameterError(
            f"GRID.toml: got {path!r} ({error.strerror}); expected a new file for the example"
        ) from error
    output.announce(path)


def _show_estimate(found):
    from ..sweeps.run import duration

    out = tables.console()
    table = tables.grid("", "")
    table.show_header = False
    table.columns[1].justify = "left"
    words = (("theory", "theory", "theories"), ("simulations", "simulation", "simulations"))
    kinds = [f"{found[k]} {one if found[k] == 1 else more}" for k, one, more in words if found[k]]
    table.add_row("points", f"{found['points']} ({', '.join(kinds) or 'nothing to compute'})")
    for name, text in found["axes"].items():
        table.add_row(f"axis {name}", text)
    table.add_row("memory of the largest", tables.size(int(found["memory_MB"] * 1e6)))
    table.add_row(
        f"memory of {found['processes']} side by side",
        tables.size(int(found["memory_together_MB"] * 1e6)),
    )
    table.add_row("estimated time", f"about {duration(found['time_s'])}")
    table.add_row("calibration", found["calibration"])
    table.add_row("refused", str(len(found["refused"])))
    out.print(table)
    for one in found["listed"][:_LISTED]:
        kinds = ", ".join(one["kinds"])
        if one["N"] is not None:
            kinds += f" of {one['N']} neurons"
        print(f"{one['point']}: {kinds}, {tables.size(int(one['memory_MB'] * 1e6))}")
    if len(found["listed"]) > _LISTED:
        print(f"and {len(found['listed']) - _LISTED} more points (--json lists all)")
    for one in found["refused"]:
        print(f"refused: {one['point']} ({one['kind']}): {' '.join(one['reason'].split())}")
