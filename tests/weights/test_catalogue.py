"""The checkpoints that can be downloaded by name."""

import hashlib
import re

import pytest
from file_server import serving

from npnets import list_models
from npnets.weights import download
from npnets.weights.catalogue import CATALOGUE, Published

WEIGHTS = b"some weights"
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
FILE = f"net_x0.5-{SHA256[:10]}.pth"


@pytest.fixture
def server(monkeypatch, tmp_path):
    with serving({FILE: WEIGHTS}, monkeypatch, tmp_path) as server:
        monkeypatch.setitem(CATALOGUE, "net", Published(f"{server.url}/good/{FILE}", 50.0))
        yield server


def test_a_checkpoint_is_downloaded_once(server, tmp_path):
    for _ in range(2):
        path = download("net")
        assert path == tmp_path / "weights" / FILE
        assert path.read_bytes() == WEIGHTS
    assert len(server.asked) == 1


def test_the_digits_in_the_name_are_checked(server, tmp_path):
    server.files[FILE] = b"other weights"
    with pytest.raises(ConnectionError, match="another sha256") as caught:
        download("net")
    for part in (f"put {FILE} (sha256 {SHA256[:10]})", str(tmp_path / "weights")):
        assert part in str(caught.value)
    assert list((tmp_path / "weights").iterdir()) == []


def test_a_file_that_was_put_there_by_hand_is_used(monkeypatch, server, tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / FILE).write_bytes(WEIGHTS)
    assert download("net").read_bytes() == WEIGHTS
    assert server.asked == []


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'shufflenet_v2_x0_5-cifar10'"):
        download("shufflenet_v2_05-cifar10")


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_table(name):
    published = CATALOGUE[name]
    network, _, data = name.partition("-")
    assert network in list_models()
    assert data.partition("-")[0] in ("imagenet", "cifar10", "cifar100")
    assert published.url.startswith("https://")
    assert published.url.endswith(f"/{published.file}")
    assert re.fullmatch(r"sha256:[0-9a-f]{8,10}", published.checksum)
    assert published.checksum.removeprefix("sha256:") in published.file
    assert 50 < published.top1 < 100
