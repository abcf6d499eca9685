"""``cbnet cache``: what was compiled and kept."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from ..errors import ParameterError
from . import options, output, tables

EXAMPLES = ("cbnet cache", "cbnet cache clear")
_ACTIONS = ("list", "clear")


def cache(
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="list, or clear to remove them all.")
    ] = "list",
    as_json: options.Json = False,
    debug: options.Debug = False,
):
    """Compiled structures: list, clear.

    The environment variable CBNET_CACHE names another folder for them, and
    CBNET_CACHE_LIMIT another size than 2GB: those not used for longest go first.
    """
    if action not in _ACTIONS:
        raise ParameterError(f"ACTION: got {action!r}; expected {' or '.join(_ACTIONS)}")
    from ..support import cache as cached

    data = {"folder": str(cached.folder())}
    if action == "clear":
        data["removed"], data["in_use"] = cached.clear()
    data |= {"bytes": cached.size(), "limit_bytes": cached.limit()}
    if action == "list":
        data["entries"] = [_row(entry) for entry in cached.entries()]
    if as_json:
        output.print_json(data)
    else:
        show(data)


def show(data):
    """Print what is in the cache, or what was removed, for a person."""
    out = tables.console()
    full = f"{tables.size(data['bytes'])} of at most {tables.size(data['limit_bytes'])}"
    out.print(f"cache folder: {data['folder']}", markup=False, soft_wrap=True)
    out.print(f"holds {full}")
    if "removed" in data:
        busy = f", {data['in_use']} kept, which are in use" if data["in_use"] else ""
        out.print(f"removed {data['removed']} compiled structures{busy}")
    elif data["entries"]:
        table = tables.grid("key", "what", "size", "compiled", "last used")
        table.columns[1].justify = "left"
        for column in (table.columns[0], *table.columns[2:]):
            column.no_wrap = True
        for row in data["entries"]:
            times = (_local(row[name]) for name in ("created", "last_used"))
            table.add_row(row["key"][:8], row["description"], tables.size(row["bytes"]), *times)
        out.print(table)
    else:
        out.print("no compiled structures")


def _row(entry):
    times = {name: _utc(getattr(entry, name)) for name in ("created", "last_used")}
    about = {name: getattr(entry, name) for name in ("key", "description", "bytes")}
    return about | times


def _utc(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _local(text):
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}"
