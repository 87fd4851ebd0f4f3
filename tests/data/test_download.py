"""Downloads, from a server of our own that does what servers do: fail, hang up, send rubbish."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from npnets.data.download import fetch
from npnets.extras import require

PAYLOAD = bytes(range(256)) * 40
GOOD_MD5 = hashlib.md5(PAYLOAD).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves server.files; under /half/, it hangs up in the middle."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["User-Agent"]))
        folder, _, name = self.path[1:].partition("/")
        content = self.server.files.get(name)
        if content is None or folder == "missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if folder == "half" else content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server, and a cache in tmp_path/cache; server.url says where it is."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        server.url = f"http://127.0.0.1:{server.server_port}"
        server.files, server.asked = {"file": PAYLOAD, "other": b"other"}, []
        server.cache = tmp_path / "cache"
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(require("pooch"), "os_cache", lambda project: server.cache)
        yield server
        server.shutdown()


def test_a_file_is_downloaded_once(server):
    urls = [f"{server.url}/good/file"]
    for _ in range(2):
        path = fetch("file", GOOD_MD5, urls)
        assert path == server.cache / "file"
        assert path.read_bytes() == PAYLOAD
    assert server.asked == [("/good/file", "npnets")]


def test_the_next_source_is_tried(server):
    urls = [
        f"{server.url}/{way}" for way in ("missing/file", "half/file", "good/other", "good/file")
    ]
    path = fetch("file", GOOD_MD5, [*urls, f"{server.url}/never/file"])
    assert path.read_bytes() == PAYLOAD
    assert [f"{server.url}{asked}" for asked, _ in server.asked] == urls
    assert list(server.cache.iterdir()) == [path]


@pytest.mark.parametrize("way", ["half/file", "missing/file", "good/other"])
def test_a_download_that_fails_leaves_nothing_behind(way, server):
    with pytest.raises(ConnectionError, match=f"file could not be downloaded.*\n.*/{way}: "):
        fetch("file", GOOD_MD5, [f"{server.url}/{way}"])
    assert list(server.cache.iterdir()) == []


def test_a_damaged_file_in_the_cache_is_replaced_only_by_a_whole_one(server):
    server.cache.mkdir()
    (server.cache / "file").write_bytes(b"damaged")
    with pytest.raises(ConnectionError, match="could not be downloaded"):
        fetch("file", GOOD_MD5, [f"{server.url}/half/file"])
    assert (server.cache / "file").read_bytes() == b"damaged"
    assert fetch("file", GOOD_MD5, [f"{server.url}/good/file"]).read_bytes() == PAYLOAD


def test_an_interrupted_download_leaves_nothing_behind(server, monkeypatch):
    def interrupted(self, url, output_file, pooch):
        Path(output_file).write_bytes(PAYLOAD[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(require("pooch").HTTPDownloader, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch("file", GOOD_MD5, [f"{server.url}/good/file"])
    assert list(server.cache.iterdir()) == []


def test_the_message_says_what_was_tried_and_how_to_do_it_by_hand(server):
    urls = [f"{server.url}/missing/file", f"{server.url}/half/file"]
    with pytest.raises(ConnectionError) as caught:
        fetch("file", GOOD_MD5, urls)
    message = str(caught.value)
    for part in (*urls, "404", GOOD_MD5, str(server.cache), "data_dir"):
        assert part in message
