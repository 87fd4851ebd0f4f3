"""Downloads, from a server of our own."""

import hashlib

import pytest
from file_server import serving

from npnets import data, download
from npnets.download import fetch

PAYLOAD = bytes(range(256)) * 40
GOOD = f"md5:{hashlib.md5(PAYLOAD).hexdigest()}"


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server, and a cache in tmp_path/cache."""
    monkeypatch.setattr(download, "CHUNK", 100)
    files = {"file": PAYLOAD, "other": b"other"}
    with serving(files, monkeypatch, tmp_path / "cache") as server:
        server.cache = tmp_path / "cache"
        yield server


def test_a_file_is_downloaded_once(server):
    urls = [f"{server.url}/good/file"]
    for _ in range(2):
        path = fetch("file", GOOD, urls)
        assert path == server.cache / "file"
        assert path.read_bytes() == PAYLOAD
    assert server.asked == [("/good/file", None)]
    assert server.agents == {"npnets"}
    assert list(server.cache.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_the_first_digits_of_a_checksum_are_enough(kind, server):
    digits = hashlib.new(kind, PAYLOAD).hexdigest()[:8]
    path = fetch("file", f"{kind}:{digits}", [f"{server.url}/good/file"], "folder")
    assert path == server.cache / "folder" / "file"


def test_the_next_source_is_tried(server):
    urls = [f"{server.url}/{way}" for way in ("missing/file", "good/other", "good/file")]
    path = fetch("file", GOOD, [*urls, f"{server.url}/never/file"])
    assert path.read_bytes() == PAYLOAD
    assert [f"{server.url}{asked}" for asked, _ in server.asked] == urls
    assert list(server.cache.iterdir()) == [path]


@pytest.mark.parametrize("way", ["missing/file", "good/other"])
def test_a_download_that_fails_leaves_nothing_behind(way, server):
    with pytest.raises(ConnectionError, match=f"file could not be downloaded.*\n.*/{way}: "):
        fetch("file", GOOD, [f"{server.url}/{way}"])
    assert list(server.cache.iterdir()) == []


def test_a_download_that_was_cut_off_goes_on_where_it_stopped(server):
    with pytest.raises(ConnectionError, match=r"file could not be downloaded"):
        fetch("file", GOOD, [f"{server.url}/half/file"])
    (part,) = server.cache.iterdir()
    size = part.stat().st_size
    assert PAYLOAD.startswith(part.read_bytes())
    assert 0 < size < len(PAYLOAD)
    path = fetch("file", GOOD, [f"{server.url}/good/file"])
    assert path.read_bytes() == PAYLOAD
    assert server.asked[1:] == [("/good/file", f"bytes={size}-")]
    assert list(server.cache.iterdir()) == [path]


def test_it_goes_on_at_the_next_source_too(server):
    urls = [f"{server.url}/{way}/file" for way in ("half", "half", "good")]
    assert fetch("file", GOOD, urls).read_bytes() == PAYLOAD
    starts = [0] + [int(asked[len("bytes=") : -1]) for _, asked in server.asked[1:]]
    assert starts[0] < starts[1] < starts[2] < len(PAYLOAD)


def test_a_server_that_cannot_go_on_begins_anew(server):
    server.cache.mkdir()
    (server.cache / "file.part").write_bytes(PAYLOAD[:300])
    assert fetch("file", GOOD, [f"{server.url}/whole/file"]).read_bytes() == PAYLOAD
    assert server.asked == [("/whole/file", "bytes=300-")]


@pytest.mark.parametrize("rest", [b"of another file", PAYLOAD + b"more", b"\0" * len(PAYLOAD)])
def test_a_part_of_something_else_is_thrown_away(rest, server):
    server.cache.mkdir()
    (server.cache / "file.part").write_bytes(rest)
    assert fetch("file", GOOD, [f"{server.url}/good/file"]).read_bytes() == PAYLOAD
    assert server.asked == [("/good/file", f"bytes={len(rest)}-"), ("/good/file", None)]


def test_a_part_that_is_whole_needs_no_more(server):
    server.cache.mkdir()
    (server.cache / "file.part").write_bytes(PAYLOAD)
    assert fetch("file", GOOD, [f"{server.url}/good/file"]).read_bytes() == PAYLOAD


def test_a_damaged_file_in_the_cache_is_replaced_only_by_a_whole_one(server):
    server.cache.mkdir()
    (server.cache / "file").write_bytes(b"damaged")
    with pytest.raises(ConnectionError, match="could not be downloaded"):
        fetch("file", GOOD, [f"{server.url}/half/file"])
    assert (server.cache / "file").read_bytes() == b"damaged"
    assert fetch("file", GOOD, [f"{server.url}/good/file"]).read_bytes() == PAYLOAD


def test_an_interrupted_download_can_go_on(server, monkeypatch):
    def interrupted(path, checksum):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "has", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch("file", GOOD, [f"{server.url}/good/file"])
    assert [path.name for path in server.cache.iterdir()] == ["file.part"]
    assert fetch("file", GOOD, [f"{server.url}/good/file"]).read_bytes() == PAYLOAD


def test_the_message_says_what_was_tried_and_how_to_do_it_by_hand(server):
    urls = [f"{server.url}/missing/file", f"{server.url}/half/file", f"{server.url}/good/other"]
    with pytest.raises(ConnectionError) as caught:
        data.download.fetch("file", GOOD.removeprefix("md5:"), urls)
    message = str(caught.value)
    for part in (*urls, "404", "another md5", GOOD[4:], str(server.cache), "data_dir"):
        assert part in message
