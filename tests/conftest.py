"""What all tests share: no network but this machine, one core's worth of small images."""

import socket

import numpy as np
import pytest

from npnets import data


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test may reach another machine; servers of the tests themselves are on this one."""
    connect = socket.socket.connect

    def guarded(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "localhost", "::1"):
            raise OSError(f"a test tried to connect to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def shapes():
    """72 images of 8 × 8 in three classes that are easy to tell apart: where the light is."""
    rng = np.random.default_rng(0)
    labels = np.arange(72, dtype=np.int64) % 3
    images = rng.integers(0, 60, (72, 1, 8, 8))
    for k, corner in enumerate((np.s_[:4, :4], np.s_[:4, 4:], np.s_[4:, :])):
        lit = np.zeros((8, 8), np.int64)
        lit[corner] = 150
        images[labels == k] += lit
    return data.Dataset(images.astype(np.uint8), labels, ("left", "right", "below"))
