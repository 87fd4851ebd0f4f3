"""What PyTorch says about the four networks, stored: a witness where PyTorch is not installed.

    python tests/witness/make_witness.py

writes one JSON file per network beside this file. Weights, statistics and images follow a closed
formula, not a generator of random numbers whose stream may change. test_witness.py computes the
same with npnets. Only writing needs PyTorch.
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
NETWORKS = {  # the smallest published, but ShuffleNet v1 in three groups, so that a shuffle shows
    "MobileNetV1": {"width_mult": 0.25},
    "MobileNetV2": {"width_mult": 0.35},
    "ShuffleNetV1": {"scale": 0.25, "groups": 3},
    "ShuffleNetV2": {"width_mult": 0.5},
}
LABELS = np.array([3, 1, 4, 1])


def wave(k, shape):
    """Return wave number k: numbers in −1 … 1, of mean 0 and variance 1/2, as good as random.

        y[i]  =  sin( k · (i + 1)²  mod  99991 )              99991 is prime, radians

    In whole numbers up to the sine, so that nothing is lost for a large i.
    """
    i = np.arange(1, np.prod(shape) + 1, dtype=np.int64)
    return np.sin(k * i**2 % 99991).reshape(shape)


def make_images():
    return wave(1, (4, 3, 32, 32))


def make_state(named_shapes):
    """Return {name: array} for the (name, shape) of each array of a network, in order.

    Weights have variance 2/fan_in; the rest is far enough from 0 and 1 to matter.
    """
    state = {}
    for k, (name, shape) in enumerate(named_shapes, 2):
        if len(shape) > 1:
            state[name] = 2 / np.sqrt(np.prod(shape[1:])) * wave(k, shape)
        elif name.endswith(("gamma", "running_var")):
            state[name] = 1 + wave(k, shape) / 2
        else:
            state[name] = wave(k, shape) / 4
    return state


def testify(name, options):
    """Return what PyTorch says about one network: a dict for JSON."""
    import torch
    import torch_nets

    import npnets

    options = {**options, "num_classes": 10, "small_images": True}
    net = getattr(npnets, name)(**options).astype(np.float64)  # for names and pairing only
    net.load_state(make_state((path, a.shape) for path, a in net.state().items()))
    twin = torch_nets.copy_into(getattr(torch_nets, name)(**options).double(), net)
    images, labels = torch.from_numpy(make_images()), torch.from_numpy(LABELS)
    inference = twin.eval()(images)
    training = twin.train()(images)
    loss = torch.nn.functional.cross_entropy(training, labels)
    loss.backward()
    learned = dict(twin.named_parameters())
    gradients = {
        ours: [learned[theirs].grad.sum().item(), learned[theirs].grad.square().sum().item()]
        for ours, theirs in torch_nets.pairs(twin, net)
        if theirs in learned
    }
    return {
        "made_with": {"torch": torch.__version__, "numpy": np.__version__},
        "network": name,
        "options": options,
        "logits_at_inference": inference.tolist(),
        "logits_in_training": training.tolist(),
        "loss": loss.item(),
        "sum_and_sum_of_squares_of_each_gradient": gradients,
    }


def main():
    sys.path.insert(0, str(HERE.parent))  # where torch_nets.py lies
    for name, options in NETWORKS.items():
        words = json.loads(json.dumps(testify(name, options)), parse_float=shortened)
        entries = (f'  "{key}": {rows_of(value)}' for key, value in words.items())
        (HERE / f"{name}.json").write_text("{\n" + ",\n".join(entries) + "\n}\n")


def shortened(text):
    """Return a number with 13 digits, but none after the 14th decimal: rounding errors."""
    return round(float(f"{float(text):.13g}"), 14) + 0.0  # + 0.0: no negative zero


def rows_of(value):
    """Return JSON with a line for each row or item."""
    if isinstance(value, list):
        return "[\n    " + ",\n    ".join(map(json.dumps, value)) + "\n  ]"
    if isinstance(value, dict):
        rows = (f'"{key}": {json.dumps(item)}' for key, item in value.items())
        return "{\n    " + ",\n    ".join(rows) + "\n  }"
    return json.dumps(value)


if __name__ == "__main__":
    main()
