"""A server for the tests of downloads, which does what servers do: fail, hang up, send rubbish."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from npnets.extras import require


class Handler(BaseHTTPRequestHandler):
    """Serves server.files, from where it is asked to; the folder in the path says how.

    good: as asked. half: hangs up in the middle. whole: whatever is asked, from the beginning.
    missing: not at all.
    """

    def do_GET(self):
        asked = self.headers["Range"]
        self.server.asked.append((self.path, asked))
        self.server.agents.add(self.headers["User-Agent"])
        folder, _, name = self.path[1:].partition("/")
        content = self.server.files.get(name)
        start = int(asked[len("bytes=") : -1]) if asked and folder != "whole" else 0
        if content is None or folder == "missing":
            self.send_error(404)
        elif start and start >= len(content):
            self.send_error(416)
        else:
            self.send_response(206 if start else 200)
            rest = content[start:]
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest[: len(rest) // 2] if folder == "half" else rest)

    def log_message(self, *arguments):
        pass


@contextmanager
def serving(files, monkeypatch, cache):
    """Run a server of {name: bytes}, and let the user's cache be the folder `cache`.

    server.url says where it is, and server.asked what it was asked: (path, Range).
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        server.url = f"http://127.0.0.1:{server.server_port}"
        server.files, server.asked, server.agents = files, [], set()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(require("pooch"), "os_cache", lambda project: cache)
        try:
            yield server
        finally:
            server.shutdown()
