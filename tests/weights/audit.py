"""Watching, with an audit hook of Python, that reading a file does nothing else."""

import sys
from contextlib import contextmanager

# What Python reports when code is run, found by name, or reaches for something outside.
WATCHED = {"exec", "pickle.find_class", "os.system", "os.exec", "os.fork", "os.posix_spawn",
           "os.spawn", "os.startfile", "subprocess.Popen", "socket.connect", "os.mkdir",
           "os.remove", "os.rename", "os.rmdir", "os.chmod", "ctypes.dlopen"}  # fmt: skip
_seen = None


def _hook(event, arguments):
    if _seen is not None and (event in WATCHED or (event == "open" and arguments[1] not in READ)):
        _seen.append((event, arguments))


READ = ("r", "rb", None)
sys.addaudithook(_hook)  # for good: Python has no way to take one off


@contextmanager
def watching():
    """Yield a list, to which is appended what is seen of the block."""
    global _seen
    _seen = seen = []
    try:
        yield seen
    finally:
        _seen = None
