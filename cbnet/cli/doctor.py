"""``cbnet doctor``: what works here, and what to do about the rest."""

import typer

from . import options, output, tables

EXAMPLES = ("cbnet doctor", "cbnet doctor --json")


def doctor(as_json: options.Json = False, debug: options.Debug = False):
    """Versions, compiler, cores, memory, disk, cache: what works here, what to do about the rest.

    The exit code is 1 if something that cbnet needs does not work.
    """
    from ..support.machine import checks

    found = list(checks())
    works = all(check.works for check in found)
    if as_json:
        output.print_json({"works": works, "checks": [vars(check) for check in found]})
    else:
        show(found)
    if not works:
        raise typer.Exit(1)


def show(found):
    """Print the checks for a person."""
    out = tables.console()
    table = tables.grid("", "works", "found", "what to do")
    for column in table.columns:
        column.justify = "left"
    for check in found:
        table.add_row(check.name, tables.value(check.works), check.found, check.advice)
    out.print(table)
    missing = [check.name for check in found if not check.works]
    out.print(f"does not work: {', '.join(missing)}" if missing else "everything works")
