"""Running a plan: what is missing, side by side, kept as it finishes."""

import importlib
import time

from . import identity, plan, records
from .store import PROGRESS, SweepError

_PERIOD = 2.0  # s between looks at the memory and notes in the folder
_PATIENCE = (
    10.0  # s without a worker after which the user is told, whether progress is shown or not
)


class Silent:
    """Progress for nobody."""

    def stage(self, name):
        """What is being done now."""

    def update(self, fraction):
        """How much of it."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C; the message says what is kept and how to go on."""


def run(planned, store, executor, *, retry_failed=False, keep_old=False, progress=None, warn=None):
    """Compute what a folder does not have yet.

    Parameters
    ----------
    planned : Plan
    store : Store
        Held by this process.
    executor : callable
        ``executor()`` gives an object of the form of :class:`cbnet.sweeps.local.Local`.
    retry_failed : bool
        Compute again what failed before.
    keep_old : bool
        Take what other versions of cbnet or Brian2 computed as finished.
    progress : object, optional
        With ``stage(name)`` and ``update(fraction)``, and ``tell(text)`` if it can show more.
    warn : callable, optional
        Takes a line that should be known.

    Returns
    -------
    list of (Unit, str)
        What failed, and why.

    Raises
    ------
    SweepError
        If the sweep cannot go on; what is finished is kept.
    """
    return _Run(planned, store, progress or Silent(), warn or (lambda line: None)).run(
        executor, retry_failed, keep_old
    )


class _Run:
    def __init__(self, planned, store, progress, warn):
        self.plan, self.store, self.progress, self.warn = planned, store, progress, warn
        self.failed, self.finished = {}, set()
        self.left = {"theory": 0.0, "simulation": 0.0}  # s of one core, as planned
        self.spent = {"theory": [0.0, 0.0], "simulation": [0.0, 0.0]}  # as planned; measured
        self.started = self.noted = time.monotonic()
        self.resident, self.remark, self.idle_since = 0, "", time.monotonic()

    def run(self, executor, retry_failed, keep_old):
        units = {unit.identity: unit for unit in self.plan.units}
        before = self.store.read()
        self.store.begin(self.plan.grid, keep_old)
        for path in before.damaged:
            self.store.set_aside(path)
            self.warn(f"{path}: is damaged and was set aside; its points are computed again")
        needed = plan.arrays(self.plan.grid)

        def complete(one):
            if one in before.finished:
                record, _ = before.finished[one]
                return record.kind == "theory" or plan.has(record, needed)
            return keep_old and one in before.other

        self.finished = {one for one in units if complete(one)}
        old = [one for one in units if one in before.other and one not in before.finished]
        if old:
            self.warn(_told(units, before, old, keep_old))
        tags = {kind: identity.tag(kind) for kind in ("theory", "simulation")}
        known = {
            one: about
            for one, about in before.failed.items()
            if one in units and one not in self.finished
        }
        for one, about in known.items():
            if not retry_failed and about["tag"] == tags[units[one].kind]:
                self.failed[one] = about["message"]
        todo = [
            u for one, u in units.items() if one not in self.finished and one not in self.failed
        ]
        self.attempts = {one: about["attempts"] for one, about in known.items()}
        if todo:
            text = f"{len(todo)} of {len(units)} computations to do"
            unused = len(before.finished.keys() - units.keys())
            if unused:  # the grid, or a model's file, was changed
                text += f"; {unused} finished ones in the folder are of other values"
            self.progress.stage(text)
            for unit in todo:
                self.left[unit.kind] += unit.cost
            self._work(executor, todo)
        self._note(None)
        return [(units[one], message) for one, message in self.failed.items()]

    def _work(self, executor, todo):
        crew = executor()
        try:
            self._loop(crew, todo)
        except KeyboardInterrupt:
            crew.close()
            raise Interrupted(
                f"{len(self.finished)} of {len(self.plan.units)} computations are kept in "
                f"{self.store.folder}; run the same command again to go on"
            ) from None
        finally:
            crew.close()

    def _loop(self, crew, todo):
        waiting = dict(enumerate(plan.bundles(self.plan.grid, todo, crew.processes)))
        running = {}
        self.started = time.monotonic()
        self._start(crew, waiting, running)
        importlib.import_module("xarray")  # for the dataset, while the processes begin
        while waiting or running:
            self._start(crew, waiting, running)
            came = [(running.pop(key), kind, it) for key, kind, it in crew.wait(0.5)]
            self._start(crew, waiting, running)  # workers do not wait for the disk
            for bundle, kind, content in came:
                if kind == "done":
                    self._keep(bundle, content)
                else:
                    self._fail(bundle, content, waiting)
            self._tell(crew)

    def _start(self, crew, waiting, running):
        free = crew.free()
        for key in list(waiting):
            if free <= 0:
                return
            task, units = waiting[key]
            memory = max(unit.memory for unit in units)
            fits = crew.fits(memory)
            if fits is None:
                del waiting[key]
                message = (
                    f"memory: got a {units[0].kind} of about {memory / 1e9:.3g} GB, which this "
                    "machine does not have left; close programs, or take a smaller N or K"
                )
                for unit in units:
                    self.left[unit.kind] -= unit.cost
                    self._record_failure(unit, message)
            elif fits:
                running[key] = waiting.pop(key)
                crew.submit(key, task, memory)
                free -= 1

    def _keep(self, bundle, content):
        _, units = bundle
        kind = units[0].kind
        if content["made"] != identity.made(kind):
            theirs, ours = content["made"], identity.made(kind)
            differ = [
                f"{k} {theirs.get(k)} instead of {ours[k]}"
                for k in ours
                if theirs.get(k) != ours[k]
            ]
            raise SweepError(
                f"a worker has {', '.join(differ)}; install the same everywhere: what other "
                "versions compute is never mixed in"
            )
        cost = sum(unit.cost for unit in units)
        self.left[kind] -= cost
        self.spent[kind][0] += cost
        self.spent[kind][1] += content["seconds"]
        if content["rows"]:
            mine = [units[k] for k in content["rows"]]
            self.store.add(
                records.Record(
                    kind,
                    tuple(unit.identity for unit in mine),
                    content["made"],
                    content["arrays"],
                    content["about"],
                )
            )
            self.finished |= {unit.identity for unit in mine}
        for k, message in content["failed"].items():
            self._record_failure(units[k], message)

    def _fail(self, bundle, message, waiting):
        task, units = bundle
        if len(units) == 1:
            self.left[units[0].kind] -= units[0].cost
            self._record_failure(units[0], message)
            return
        half = len(units) // 2  # whose fault it was is found by halving
        for part in (slice(None, half), slice(half, None)):
            key = f"{id(bundle)}-{part.start}-{time.monotonic_ns()}"
            changes = task["changes"][part]
            waiting[key] = {**task, "changes": changes, "points": len(changes)}, units[part]

    def _record_failure(self, unit, message):
        before = self.attempts.get(unit.identity, 0)
        self.store.add_failure(unit.identity, unit.kind, message, before)
        self.failed[unit.identity] = message

    def _tell(self, crew):
        done = self._done()
        if time.monotonic() - self.noted >= _PERIOD:
            self.noted = time.monotonic()
            self.resident, self.remark = crew.memory(), crew.remark()
            self._note(done)
            if not self.remark:
                self.idle_since = time.monotonic()
            elif self.idle_since and time.monotonic() - self.idle_since > _PATIENCE:
                self.warn(f"{self.remark}: waiting for them; Ctrl-C ends it")
                self.idle_since = None  # once is enough
        tell = getattr(self.progress, "tell", None)
        if tell is not None:
            tell(self._text(done))
        self.progress.update(done)

    def _done(self):
        """Share of the work that is done, judged by how long that of each kind has taken."""
        done = left = 0.0
        for kind, (planned, measured) in self.spent.items():
            done += measured
            left += self.left[kind] * (measured / planned if planned else 1.0)
        return done / (done + left) if done + left > 0 else 1.0

    def _left(self, done):
        if not done:
            return None
        return (time.monotonic() - self.started) * (1 - done) / done

    def _text(self, done):
        text = f"{len(self.finished)} of {len(self.plan.units)} finished"
        if self.failed:
            text += f", {len(self.failed)} failed"
        left = self._left(done)
        if left is not None:
            text += f", {duration(left)} left"
        if self.resident:
            text += f", {self.resident / 1e9:.2g} GB"
        if self.remark:
            text += f", {self.remark}"
        return text

    def _note(self, done):
        self.store.write_json(
            PROGRESS,
            {
                "finished": len(self.finished),
                "failed": len(self.failed),
                "points": len(self.plan.units),
                "left_s": None if done is None else self._left(done),
                "memory_MB": self.resident / 1e6,
                "at": time.time(),
            },
        )


def duration(seconds):
    """A time as a person says it.

    Examples
    --------
    >>> from cbnet.sweeps.run import duration
    >>> duration(75), duration(7300)
    ('1 min 15 s', '2 h 1 min')
    """
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _told(units, before, old, keep_old):
    """What other versions have computed, and what happens to it."""
    theirs = {}
    for one in old:
        record, _ = before.other[one][-1]
        ours = identity.made(record.kind)
        for name in ours:
            if record.made.get(name) != ours[name]:
                theirs.setdefault(name, set()).add((record.made.get(name), ours[name]))
    told = []
    for name, pairs in theirs.items():
        then = " and ".join(sorted({str(x) for x, _ in pairs}))
        now = " and ".join(sorted({x for _, x in pairs}))
        told.append(f"{'code of cbnet' if name == 'code' else name} {then} then, {now} now")
    changed = "; ".join(told)
    what = (
        "they are taken as finished (--keep-old) and marked in the data"
        if keep_old
        else "they are computed again, and the old ones left out; --keep-old would take them"
    )
    return (
        f"{len(old)} of {len(units)} computations were made by other versions ({changed}); {what}"
    )
