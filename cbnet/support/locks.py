"""Locks between processes that the system releases when the process dies."""

import contextlib
import os


def _stopped(pid):
    """Whether a process does nothing until it gets a signal, where the system tells."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] in "tT"
    except (OSError, IndexError):
        return False


class FileLock:
    """A lock on a file, shared or exclusive, between processes and between threads.

    Parameters
    ----------
    path : Path
        Made with its folder if it is not there.

    Attributes
    ----------
    fd : int or None
        Of the open file while the lock is held.
    """

    def __init__(self, path):
        self.path, self.fd = path, None

    def take(self, shared=False):
        """Take the lock if it is free.

        Parameters
        ----------
        shared : bool
            Whether others may hold it shared too.

        Returns
        -------
        bool
            Whether it was taken.

        Raises
        ------
        OSError
            If the file cannot be made, or the system cannot lock it.
        """
        import fcntl  # not on Windows, where nothing but this needs it

        kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            try:
                fcntl.flock(self.fd, kind)
                if self._stands():
                    return True
            except BlockingIOError:
                self._close()
                return False
            except BaseException:
                self._close()
                raise
            self._close()  # whoever had it removed the file

    def sign(self):
        """Write into the file whose it is, for those who wait."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{os.uname().nodename} {os.getpid()}".encode(), 0)

    def owner(self):
        """Who signed it last, in words."""
        try:
            host, _, pid = self.path.read_text(encoding="utf-8", errors="replace").partition(" ")
            known = host == os.uname().nodename and pid.isdigit()
        except OSError:
            return "another process"
        if not known:
            return f"process {pid} on {host}" if pid.isdigit() else "another process"
        return f"process {pid}" + (", stopped at the moment" if _stopped(int(pid)) else "")

    def release(self, remove=False):
        """Give the lock back, and take its file away unless others hold it too."""
        import fcntl

        with contextlib.suppress(OSError):  # one of them: others do hold it
            if remove:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._stands():
                    os.unlink(self.path)
        fcntl.flock(self.fd, fcntl.LOCK_UN)  # to close alone leaves it with children by fork
        self._close()

    def _stands(self):
        """Whether the open file is still the one at the path."""
        try:
            return os.path.samestat(os.fstat(self.fd), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _close(self):
        os.close(self.fd)
        self.fd = None
