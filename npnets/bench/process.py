"""A worker as its parent sees it: it is asked, and it answers, or the benchmark ends."""

import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import threading

from npnets.bench.peers import environment

LAST_LINES = 12


class Worker:
    """The process of one peer. Use it in a `with` block, which ends it.

    `command` is for tests; by default it is npnets.bench.worker.
    """

    def __init__(self, name, threads, command=None):
        self.name, self.errors = name, tempfile.TemporaryFile()  # noqa: SIM115 - see close
        command = command or [sys.executable, "-m", "npnets.bench.worker", name, str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            env=environment(name, threads), encoding="utf-8",
        )  # fmt: skip
        self.replies = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def ask(self, do, timeout, **message):
        """Return the worker's answer, a dict.

        Raises ChildProcessError where it dies, TimeoutError where it does not answer in time.
        """
        try:
            self.process.stdin.write(json.dumps({"do": do, **message}) + "\n")
            self.process.stdin.flush()
            reply = self.replies.get(timeout=timeout)
        except OSError:  # it does not read any more
            reply = None
        except queue.Empty:
            self.process.kill()
            raise TimeoutError(
                f"{self.name} did not answer {do!r} within {timeout:.0f} s{self._said()}"
            ) from None
        if reply is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=10)
            code = self.process.poll()
            raise ChildProcessError(
                f"the process of {self.name} ended with code {code}{self._said()}"
            )
        return json.loads(reply)

    def close(self):
        """End the process."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        with contextlib.suppress(OSError):  # what was not flushed cannot be any more
            self.process.stdin.close()
        self.errors.close()

    def _read(self):
        try:
            for line in self.process.stdout:
                self.replies.put(line)
        except ValueError:  # closed
            pass
        self.replies.put(None)

    def _said(self):
        """Return the last lines of what the process wrote to stderr."""
        self.errors.seek(0)
        lines = self.errors.read().decode("utf-8", "replace").splitlines()[-LAST_LINES:]
        return "; it said:\n  " + "\n  ".join(lines) if lines else "; it said nothing"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
