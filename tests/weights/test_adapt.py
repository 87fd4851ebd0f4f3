"""What weights need that is not in the paper's table: each change, and nothing else."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from npnets import MobileNetV1, MobileNetV2, ShuffleNetV2
from npnets.layers import BatchNorm, Buffer, Conv2d, ReLU, ReLU6
from npnets.weights import adapt


@pytest.fixture
def net():
    return MobileNetV1(0.25, num_classes=3, rng=0).eval()


def images(size=32):
    return np.random.default_rng(1).standard_normal((2, 3, size, size)).astype(np.float32)


def layers(net, kind):
    return [layer for layer in net.layers().values() if isinstance(layer, kind)]


def test_pad_same_pads_where_there_was_padding(net):
    adapt.pad_same(net)
    for conv in layers(net, Conv2d):
        assert conv.window["padding"] == (0 if conv.weight.value.shape[2] == 1 else "same")
    shuffle = ShuffleNetV2(0.5, rng=0)
    adapt.pad_same(shuffle)
    assert shuffle.max_pool.window["padding"] == "same"


def test_set_eps_is_in_every_batch_norm_and_in_what_is_folded(net):
    before = net.forward(images())
    adapt.set_eps(0.5)(net)
    assert {norm.eps for norm in layers(net, BatchNorm)} == {0.5}
    after = net.forward(images())
    assert np.abs(after - before).max() > 0.1 * np.abs(before).max()
    assert_allclose(net.fold().forward(images()), after, rtol=1e-4, atol=1e-6)


def test_add_bias_changes_nothing_until_there_are_numbers(net):
    before = net.forward(images())
    adapt.add_bias(net)
    assert all(conv.bias is not None for conv in layers(net, Conv2d))
    assert_allclose(net.forward(images()), before, rtol=1e-6)
    net.stem.conv.bias.value += 1
    after = net.forward(images())
    assert np.abs(after - before).max() > 0.01 * np.abs(before).max()
    assert_allclose(net.fold().forward(images()), after, rtol=1e-4, atol=1e-6)


def test_fold_norm_leaves_convolutions_with_a_bias_and_no_statistics(net):
    before = net.forward(images())
    adapt.fold_norm(net)
    assert not layers(net, BatchNorm)
    assert not dict(net.parts(Buffer))
    assert all(conv.bias is not None for conv in layers(net, Conv2d))
    assert isinstance(net, MobileNetV1)
    assert_allclose(net.forward(images()), before, rtol=1e-4, atol=1e-6)
    assert_allclose(net.fold().forward(images()), before, rtol=1e-4, atol=1e-6)
    with pytest.raises(RuntimeError, match="a folded network has no batch norm to train"):
        net.train()


@pytest.mark.parametrize("fold", [False, True])
def test_set_activation_reaches_those_that_are_folded_in_and_no_projection(fold):
    net = MobileNetV2(0.35, num_classes=3, rng=0).eval()
    relu = MobileNetV2(0.35, num_classes=3, rng=0).eval()
    for layer in relu.layers().values():
        if hasattr(layer, "act"):
            layer.act = ReLU()
    net = net.fold() if fold else net
    x = 100 * images()
    before = net.forward(x)
    adapt.set_activation(ReLU)(net)
    assert_allclose(net.forward(x), relu.forward(x), rtol=1e-4, atol=1e-4)
    adapt.set_activation(ReLU6)(net)
    assert_allclose(net.forward(x), before, rtol=1e-4, atol=1e-4)
    assert np.abs(before - relu.forward(x)).max() > 0.1 * np.abs(before).max()
