"""Progress of long work on standard error."""

import sys
import time

from . import terminal

_PERIOD = 5.0  # seconds between lines when nobody watches a bar


class Silent:
    """Shows nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def stage(self, name):
        """The work that begins now."""

    def tell(self, text):
        """What a stage says of itself, in place of its name and the fraction."""

    def update(self, fraction):
        """How much of the stage is done, from 0 to 1."""


class Lines(Silent):
    """A line at each stage and now and then, for logs."""

    def __init__(self):
        self._name, self._more, self._last = "", "", 0.0

    def stage(self, name):
        """The work that begins now."""
        self._name, self._more = name, ""
        self._print(name)

    def update(self, fraction):
        """How much of the stage is done, from 0 to 1."""
        if time.monotonic() - self._last >= _PERIOD:
            self._print(self._more or f"{self._name}: {fraction:.0%}")

    def tell(self, text):
        """What a stage says of itself, in place of its name and the fraction."""
        self._more = text

    def _print(self, text):
        self._last = time.monotonic()
        print(terminal.plain(text), file=sys.stderr, flush=True)


class Bar(Silent):
    """A bar that is gone when the work is done, for terminals."""

    def __init__(self):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=Console(file=terminal.Plain(sys.stderr), markup=False, emoji=False),
            transient=True,
        )
        self._task = None

    def __enter__(self):
        self._progress.start()
        return self

    def __exit__(self, *error):
        self._progress.stop()
        return False

    def stage(self, name):
        """The work that begins now."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=1.0)

    def update(self, fraction):
        """How much of the stage is done, from 0 to 1."""
        if self._task is not None:
            self._progress.update(self._task, completed=fraction)

    def tell(self, text):
        """What a stage says of itself, in place of its name and the fraction."""
        if self._task is not None:
            self._progress.update(self._task, description=text)


def reporter(quiet):
    """A context manager with ``stage(name)`` and ``update(fraction)`` that suits standard error."""
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()
