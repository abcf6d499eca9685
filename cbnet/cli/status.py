"""``cbnet status``: what a sweep has done."""

import sys
from typing import Annotated

import typer

from . import options, output, tables

EXAMPLES = ("cbnet status grid", "cbnet status grid --json")
_SHOWN = 20  # failures that are listed one by one


def status(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Folder of a sweep.", show_default=False)
    ],
    as_json: options.Json = False,
    debug: options.Debug = False,
):
    """Finished, failed, refused and missing computations of a sweep; also while it runs."""
    found = of(folder)
    output.print_json(found) if as_json else show(found)


def of(folder):
    """What a folder has, as plain numbers."""
    from ..sweeps import plan
    from ..sweeps.report import describe
    from ..sweeps.store import Store

    store = Store(folder)
    return describe(store, plan.make(store.grid()))


def show(found):
    """Print it for a person."""
    from ..sweeps.run import duration

    out = tables.console()
    out.print(f"sweep in {found['folder']} ({_state(found)})", style="bold")
    table = tables.grid("", "")
    table.show_header = False
    always = ("computations", "finished", "failed", "missing")
    for name in (*always[:3], "refused", "missing", "other_versions", "damaged"):
        if found[name] or name in always:
            table.add_row(name.replace("_", " "), str(found[name]))
    if found["mean_s"] is not None:
        table.add_row("seconds of one core, finished", f"{found['core_s']:.4g}")
    if found["running"] and found["left_s"] is not None:
        table.add_row("time left", duration(found["left_s"]))
    if found["running"] and found["memory_MB"]:
        table.add_row("memory now", tables.size(int(found["memory_MB"] * 1e6)))
    out.print(table)
    for name, (then, now) in found["changed_since"].items():
        text = f"{name}: {then} in the last run, {now} now: running it again computes again"
        out.print(text)
    list_failures(found, sys.stdout)
    for warning, count in found["warnings"].items():
        out.print(f"{count} × {warning}")


def _state(found):
    if found["running"]:
        return "running"
    if found["missing"]:
        return "stopped; run it again to go on"
    left = {"failed": "failed", "refused": "was refused"}
    left = " or ".join(words for name, words in left.items() if found[name])
    return f"done but for what {left}" if left else "done"


def list_failures(found, stream):
    """One line for each point that failed or was refused."""
    lines = [f"failed: {x['point']} ({x['kind']}): {x['message']}" for x in found["failures"]]
    lines += [f"refused: {x['point']} ({x['kind']}): {x['message']}" for x in found["refusals"]]
    for line in lines[:_SHOWN]:
        print(" ".join(line.split()), file=stream)
    if len(lines) > _SHOWN:
        print(f"and {len(lines) - _SHOWN} more (cbnet status --json lists all)", file=stream)
