"""What a folder of a sweep has, in numbers."""

import re
from collections import Counter

from . import identity, plan
from .plan import label


def describe(store, planned, contents=None):
    """Finished, failed, refused and missing computations of a sweep.

    Parameters
    ----------
    store : Store
    planned : Plan
    contents : Contents, optional
        Read from the folder if not given.

    Returns
    -------
    dict
        ``folder, running, computations, finished, failed, refused, missing, other_versions,
        changed_since, damaged, core_s, mean_s, left_s, memory_MB, failures, refusals, warnings``.
    """
    last = store.last_made()
    contents = store.read(*last) if contents is None else contents
    grid, stale = planned.grid, _changed(last[0])
    needed = plan.arrays(grid)
    units = {unit.identity: unit for unit in planned.units}
    finished, seconds, warned = 0, [], Counter()
    for one in units:
        if one not in contents.finished:
            continue
        record, row = contents.finished[one]
        if record.kind == "simulation" and not plan.has(record, needed):
            continue
        finished += 1
        seconds.append(record.about[row]["seconds"])
        warned.update(_gist(line) for line in record.about[row]["warnings"])
    failed = {
        one: about
        for one, about in contents.failed.items()
        if one in units and one not in contents.finished
    }
    other = [one for one in units if one in contents.other and one not in contents.finished]
    refused = [
        {"point": label(grid, point.setting), "kind": what, "message": why}
        for point, what, why in planned.refused
    ]
    progress = store.progress()
    return {
        "folder": str(store.folder),
        "running": store.busy(),
        "computations": len(units) + len(refused),
        "finished": finished,
        "failed": len(failed),
        "refused": len(refused),
        "missing": len(units) - finished - len(failed),
        "other_versions": len(other),
        "changed_since": stale,
        "damaged": len(contents.damaged),
        "core_s": sum(seconds),
        "mean_s": sum(seconds) / len(seconds) if seconds else None,
        "left_s": progress.get("left_s"),
        "memory_MB": progress.get("memory_MB"),
        "failures": [
            {
                "point": units[one].label(grid),
                "kind": units[one].kind,
                "message": about["message"],
                "attempts": about["attempts"],
            }
            for one, about in failed.items()
        ],
        "refusals": refused,
        "warnings": dict(warned),
    }


def _changed(made):
    """What is no longer as it was in the last run, by name: then and now."""
    found = {}
    for kind, versions in made.items():
        for name, now in identity.made(kind).items():
            if versions.get(name) != now:
                found[f"{name} of {kind}" if name == "code" else name] = [versions.get(name), now]
    return found


def _gist(line):
    """A warning without its numbers, so that those of one kind are counted together."""
    return re.sub(r"[-+]?\d[\d.eE+-]*%?", "…", line)
