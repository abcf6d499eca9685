"""What commands write: tables, progress, files and folders."""

import contextlib
import io
import sys
from pathlib import Path

import pytest

from cbnet.cli import output, progress, tables

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_a_folder_with_something_in_it_stays(empty_folder):
    with contextlib.suppress(KeyError), output.folder(empty_folder / "a" / "b") as where:
        (where / "kept").touch()
        raise KeyError
    assert (empty_folder / "a" / "b" / "kept").exists()


class TestTables:
    @pytest.mark.parametrize(
        ("x", "sem", "text"),
        [
            (41.38765, 0.123, "41.39 ± 0.12"),
            (41.38765, 12.0, "41 ± 12"),
            (0.79712, 0.000456, "0.79712 ± 0.00046"),
            (None, None, "–"),
            (True, None, "yes"),
            (12345678, None, "12 345 678"),
            (1.5, 0, "1.5"),
        ],
    )
    def test_values(self, x, sem, text):
        assert tables.value(x, sem) == text

    def test_silent_rates(self):
        assert tables.rate(0.0) == "silent"
        assert tables.rate(0.0, 0.005) == "silent (below 0.005 Hz)"
        assert tables.rate(1e-3) == "0.001"

    def test_noise_and_its_limits_are_told(self):
        assert tables.describe_noise("diffusion") == "theory: diffusion approximation (white noise)"
        assert "neglected" in tables.describe_noise("diffusion (limit tau_S -> 0)")


class TestProgress:
    def test_nothing_when_quiet(self, capsys):
        with progress.reporter(quiet=True) as reporter:
            reporter.stage("simulating")
            reporter.update(0.5)
        assert capsys.readouterr() == ("", "")

    def test_lines_now_and_then(self, capsys, monkeypatch):
        now = iter([0.0, 1.0, 4.9, 5.1, 5.1, 6.0])
        monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
        with progress.reporter(quiet=False) as reporter:
            reporter.stage("simulating")
            for fraction in (0.1, 0.2, 0.3, 0.4):
                reporter.update(fraction)
        assert capsys.readouterr() == ("", "simulating\nsimulating: 30%\n")

    def test_a_bar_on_a_terminal(self, monkeypatch):
        screen = io.StringIO()
        screen.isatty = lambda: True
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setenv("TERM", "xterm")
        with progress.reporter(quiet=False) as reporter:
            reporter.stage("compiling")
            reporter.stage("simulating")
            reporter.update(0.5)
        assert "simulating" in screen.getvalue()


def test_unused_names(empty_folder):
    (empty_folder / "x.nc").touch()
    (empty_folder / "x-2.nc").touch()
    assert output.unused("x.nc") == Path("x-3.nc")
    assert output.unused("y.nc") == Path("y.nc")
