"""Locks between processes that the system releases when the process dies."""

import contextlib
import os


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
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
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
