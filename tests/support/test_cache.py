"""The cache folder: made once, never half, never more than its limit, never in the way."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cbnet.cli import app
from cbnet.errors import ParameterError, SimulationError
from cbnet.support import cache
from cbnet.support.locks import FileLock

ROOT = Path(__file__).resolve().parents[2]
KEY = "0a" * 8


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    found = tmp_path / "cache"
    monkeypatch.setenv("CBNET_CACHE", str(found))
    monkeypatch.delenv("CBNET_CACHE_LIMIT", raising=False)
    return found


def writer(size=100, calls=None):
    def build(draft):
        if calls is not None:
            calls.append(draft)
        (draft / "inside").mkdir()
        (draft / "inside" / "data").write_bytes(b"x" * size)

    return build


def never(draft):
    raise AssertionError("built again")


def make(key, size=100, description=""):
    with cache.entry(key, writer(size), description):
        pass


def keys():
    return [one.key for one in cache.entries()]


def left(folder):
    """What stands in the folder of compiled programs, locks of entries aside."""
    return sorted(p.name for p in (folder / "programs").iterdir() if p.suffix != ".lock")


def python(code, **more):
    """A process that runs code with cbnet, with a pipe from it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment, **more
    )


def test_made_once_and_described(folder):
    with cache.entry(KEY, writer(), "the first") as found:
        assert (found / "inside" / "data").read_bytes() == b"x" * 100
        assert found.parent.parent == folder
    with cache.entry(KEY, never) as again:
        assert again == found
    (one,) = cache.entries()
    assert (one.key, one.description, one.bytes) == (KEY, "the first", 100)
    assert abs(one.created - time.time()) < 60
    assert one.last_used >= one.created
    assert cache.size() == 100


def test_folder_is_the_users_own_unless_told(monkeypatch, tmp_path):
    monkeypatch.setenv("CBNET_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder().name == "cbnet"
    assert cache.folder().is_relative_to(tmp_path)
    monkeypatch.setenv("CBNET_CACHE", "relative")
    assert cache.folder() == Path.cwd() / "relative"


def test_using_what_is_not_there(folder):
    with cache.using(KEY) as found:
        assert found is None
    assert not folder.exists()


def test_a_build_that_fails_leaves_nothing(folder):
    def build(draft):
        (draft / "data").write_text("half")
        raise RuntimeError("no")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"), cache.entry(KEY, build):
            pass
        assert list((folder / "programs").iterdir()) == []
    assert cache.entries() == []


def test_an_entry_that_lost_a_file_is_made_again(folder):
    make(KEY)
    data = folder / "programs" / KEY / "inside" / "data"
    calls = []
    for spoil in (data.unlink, lambda: data.write_bytes(b"")):
        spoil()
        with cache.using(KEY) as found:
            assert found is None
        with cache.entry(KEY, writer(calls=calls)):
            assert data.read_bytes() == b"x" * 100
    assert len(calls) == 2
    assert left(folder) == [KEY]


def test_an_entry_with_a_damaged_file_is_made_again(folder):
    make(KEY)
    data = folder / "programs" / KEY / "inside" / "data"
    data.write_bytes(b"x" * 50 + b"y" + b"x" * 49)
    with cache.using(KEY) as made:
        assert made is None
    make(KEY)
    assert data.read_bytes() == b"x" * 100


def test_threads_at_once_build_once():
    calls = []

    def build(draft):
        time.sleep(0.3)
        writer(calls=calls)(draft)

    def ask(_):
        with cache.entry(KEY, build) as found:
            return (found / "inside" / "data").stat().st_size

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [100] * 4
    assert len(calls) == 1


BUILDER = """
import os, sys, time
from cbnet.support import cache

def build(draft):
    (draft / "half").write_text("half")
    print("building", flush=True)
    time.sleep({wait})
    (draft / "whole").write_text("whole")

with cache.entry({key!r}, build) as found:
    print("found", sorted(p.name for p in found.iterdir())[-1], flush=True)
"""


def test_processes_at_once_build_once():
    several = [python(BUILDER.format(wait=0.5, key=KEY)) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].splitlines() for process in several]
    assert sorted(sum(said, [])) == ["building", "found whole", "found whole"]


def test_a_killed_build_is_not_used_and_its_rest_goes(folder):
    process = python(BUILDER.format(wait=60, key=KEY))
    assert process.stdout.readline() == "building\n"
    waited = []
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(lambda: _ask(waited))
        deadline = time.monotonic() + 60
        while not (waited or following.done() or time.monotonic() > deadline):
            time.sleep(0.01)
        assert waited and len(left(folder)) == 1
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert following.result(60) == ["cbnet-entry.json", "inside"]
    assert left(folder) == [KEY]


def _ask(waited):
    with cache.entry(KEY, writer(), waiting=waited.append) as found:
        return sorted(p.name for p in found.iterdir())


def test_what_a_killed_build_left_goes_with_the_next_build_of_another(folder):
    process = python(BUILDER.format(wait=60, key=KEY))
    assert process.stdout.readline() == "building\n"
    make("0b")
    assert len(left(folder)) == 2  # it is alive, and keeps its draft
    process.kill()
    process.communicate()
    make("0c")
    assert left(folder) == ["0b", "0c"]
    assert not list((folder / "programs").glob(f"{KEY}*"))


def test_who_waits_can_be_interrupted(folder):
    holder = FileLock(folder / "programs" / f"{KEY}.lock")
    assert holder.take()
    code = BUILDER.format(wait=0, key=KEY).replace(
        "import os", "print('up', flush=True)\nimport os"
    )
    process = python(code, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "up\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert "KeyboardInterrupt" in err and out == ""
    holder.release()


def test_what_waiting_raises_ends_the_wait(folder):
    holder = FileLock(folder / "programs" / f"{KEY}.lock")
    assert holder.take()

    def enough(who):
        raise TimeoutError("enough")

    with pytest.raises(TimeoutError), cache.entry(KEY, never, waiting=enough):
        pass
    holder.release()
    make(KEY)


def test_locks_of_a_forked_child_go_with_ours(folder):
    lock = FileLock(folder / "lock")
    assert lock.take()
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    try:
        lock.release()
        other = FileLock(folder / "lock")
        assert other.take()
        other.release()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_lock_whose_file_was_removed_is_taken_anew(folder):
    first, second = FileLock(folder / "lock"), FileLock(folder / "lock")
    assert first.take() and not second.take() and not second.take(shared=True)
    first.release(remove=True)
    assert not (folder / "lock").exists()
    assert second.take(shared=True) and first.take(shared=True)
    first.release(remove=True)
    assert (folder / "lock").exists()  # second holds it
    second.release(remove=True)
    assert not (folder / "lock").exists()


def test_least_recently_used_go_first(monkeypatch, folder):
    monkeypatch.setenv("CBNET_CACHE_LIMIT", "3.5kB")
    for i, key in enumerate(("0a", "0b", "0c")):
        make(key, 1000)
        os.utime(folder / "programs" / f"{key}.lock", (0, i))
    before = time.time()
    with cache.using("0a"):
        pass
    assert cache.entries()[0].key == "0a"
    assert cache.entries()[0].last_used >= before - 1
    make("0d", 1000)
    assert sorted(keys()) == ["0a", "0c", "0d"]
    make("0e", 2500)
    assert keys()[0] == "0e" and len(keys()) == 2
    assert cache.size() <= 3500


def test_what_is_in_use_stays(monkeypatch):
    monkeypatch.setenv("CBNET_CACHE_LIMIT", "1kB")
    with cache.entry("0a", writer(1000)) as first:
        with cache.entry("0b", writer(5000)):  # larger than the limit, and in use
            assert set(keys()) == {"0a", "0b"}
        assert (first / "inside" / "data").stat().st_size == 1000
        assert cache.clear() == (1, 1)
        assert first.is_dir()
    assert cache.clear() == (1, 0)
    assert cache.size() == 0


def test_clear_leaves_no_file(folder):
    make("0a")
    cache.text("0b", lambda: "some text")
    assert cache.size() > 100
    cache.clear()
    assert [p for p in folder.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize(("text", "size"), [("500MB", 5e8), ("1.5 GB", 1.5e9), ("", 2e9)])
def test_limit(monkeypatch, text, size):
    monkeypatch.setenv("CBNET_CACHE_LIMIT", text)
    assert cache.limit() == size


@pytest.mark.parametrize("text", ["500", "much", "-1GB", "1Gb"])
def test_a_limit_that_is_no_size_is_refused_before_anything_is_built(monkeypatch, text):
    monkeypatch.setenv("CBNET_CACHE_LIMIT", text)
    with pytest.raises(ParameterError, match=f"CBNET_CACHE_LIMIT: got '{text}'; expected a size"):
        make(KEY)


def test_texts_are_made_once():
    calls = []

    def compute():
        calls.append(1)
        return {"x0": "v*a", "flags": [True, None]}

    assert cache.text(KEY, compute) == cache.text(KEY, compute) == compute()
    assert len(calls) == 2
    (path,) = (cache.folder() / "texts").iterdir()
    path.write_text(path.read_text()[:-4])  # as after a power failure
    assert cache.text(KEY, compute) == compute()
    assert compute().items() <= json.loads(path.read_text()).items()
    path.write_text(path.read_text().replace("v*a", "v*g"))  # a few bits
    assert cache.text(KEY, compute) == compute()


def unusable(folder):
    """The line with which a cache is refused; texts are computed all the same."""
    with pytest.raises(SimulationError) as caught, cache.entry(KEY, never):
        pass
    with pytest.raises(SimulationError):
        cache.check()
    assert cache.text(KEY, lambda: "computed") == "computed"
    if folder.is_dir():
        assert cache.entries() == []
    else:
        with pytest.raises(SimulationError, match=r"Not a directory"):
            cache.entries()
    message = str(caught.value)
    assert message.startswith(f"cache folder {folder}: cannot be used (")
    assert message.endswith("set CBNET_CACHE to a folder with room that can be written")
    assert "\n" not in message
    return message


def test_a_file_in_place_of_the_folder(folder, monkeypatch):
    folder.write_text("something else")
    unusable(folder)
    monkeypatch.setenv("CBNET_CACHE", str(folder / "inside"))
    unusable(folder / "inside")
    assert folder.read_text() == "something else"


def test_no_permission_to_write(folder):
    folder.mkdir()
    folder.chmod(0o500)
    try:
        if os.access(folder, os.W_OK):  # root, whom only a read-only mount stops: see below
            pytest.skip("this user may write anywhere")
        assert "Permission denied" in unusable(folder)
    finally:
        folder.chmod(0o700)


def test_a_user_without_a_home(monkeypatch):
    monkeypatch.delenv("CBNET_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: f"~/.cache/{name}")
    with pytest.raises(SimulationError, match="without a home folder; set CBNET_CACHE"):
        make(KEY)
    assert cache.text(KEY, lambda: 1) == 1


@pytest.fixture
def mounted(folder):
    """A function that mounts a file system in memory with some options as the cache folder."""
    folder.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("no permission to mount a file system")

    yield mount
    while folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def test_a_read_only_file_system(mounted, folder):
    mounted("ro,mode=0700")
    assert "Read-only file system" in unusable(folder)


def test_a_full_disk(mounted, folder):
    mounted("size=64k,mode=0700")
    with pytest.raises(SimulationError, match="No space left on device.*set CBNET_CACHE"):
        make(KEY, 1_000_000)
    assert list((folder / "programs").iterdir()) == []
    make(KEY, 20_000)
    (folder / "filling").write_bytes(b"x" * 4096 * 8)  # with the entry, two pages are left
    assert cache.text("0b", lambda: "long" * 5000) == "long" * 5000
    assert list((folder / "texts").iterdir()) == []
    with cache.entry(KEY, never):
        pass


def test_other_errors_of_a_build_are_its_own():
    def build(draft):
        raise FileNotFoundError(errno.ENOENT, "No such file", "g++")

    with pytest.raises(FileNotFoundError, match="g[+][+]"), cache.entry(KEY, build):
        pass


def test_an_entry_that_never_lasts(monkeypatch):
    monkeypatch.setattr(cache, "_complete", lambda path: False)
    calls = []
    with (
        pytest.raises(SimulationError, match="removed or changed as soon as it is made"),
        cache.entry(KEY, writer(calls=calls)),
    ):
        pass
    assert len(calls) == 3


def test_keys_are_hexadecimal():
    with pytest.raises(ValueError, match="hexadecimal"):
        make("../outside")


def test_command_lists_and_clears(capsys, folder):
    assert app.main(["cache"]) == 0
    out = capsys.readouterr().out
    assert str(folder) in out and "no compiled structures" in out and "of at most 2 GB" in out
    make(KEY, 123_456, "a network")
    assert app.main(["cache"]) == 0
    out = capsys.readouterr().out
    assert KEY[:8] in out and "123 kB" in out and "a network" in out
    assert app.main(["cache", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["folder", "bytes", "limit_bytes", "entries"]
    assert (found["folder"], found["bytes"], found["limit_bytes"]) == (str(folder), 123_456, 2e9)
    (row,) = found["entries"]
    assert list(row) == ["key", "description", "bytes", "created", "last_used"]
    assert row["key"] == KEY and row["created"].endswith("+00:00")
    with cache.using(KEY):
        assert app.main(["cache", "clear"]) == 0
        assert "removed 0 compiled structures, 1 kept" in capsys.readouterr().out
    assert app.main(["cache", "clear", "--json"]) == 0
    cleared = json.loads(capsys.readouterr().out)
    assert (cleared["removed"], cleared["in_use"], cleared["bytes"]) == (1, 0, 0)
    assert app.main(["cache", "cleer"]) == 2
    assert "ACTION: got 'cleer'; expected list or clear" in capsys.readouterr().err


def test_doctor_sees_the_cache(monkeypatch, folder):
    from cbnet.support import machine

    make(KEY, 5_000_000)
    found = machine._cache()
    assert found.works and found.found == f"5 MB of 2000 MB in {folder}"
    monkeypatch.setenv("CBNET_CACHE", "/dev/null/x")
    found = machine._cache()
    assert not found.works and found.advice.startswith("set CBNET_CACHE")
