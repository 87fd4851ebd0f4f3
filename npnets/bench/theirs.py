"""What PyTorch runs in the benchmark. Imported in its own processes only."""

import warnings

from npnets.bench import op_cases
from npnets.bench.ours import LR, MOMENTUM, network
from npnets.bench.torch_twin import F, copy_into, torch, twin_of


def build(workload, peer, threads):
    """Return a function that runs the workload once and returns its results as tensors."""
    torch.set_num_threads(threads)
    if workload.kind == "op":
        return _op(workload, peer)
    net, images, labels = network(workload)
    options = {"num_classes": workload.num_classes, "small_images": workload.small_images}
    twin = copy_into(twin_of(workload.model, **options), net)
    x = torch.from_numpy(images)
    if peer.channels_last:
        twin, x = (part.to(memory_format=torch.channels_last) for part in (twin, x))
    if workload.kind == "step":
        return _step(twin.train(), x, torch.from_numpy(labels))
    return _forward(_folded(twin.eval()) if peer.folded else twin.eval(), x)


def _forward(twin, x):
    def forward():
        with torch.inference_mode():
            return (twin(x),)

    return forward


def _step(twin, x, labels):
    optimizer = torch.optim.SGD(twin.parameters(), lr=LR, momentum=MOMENTUM)

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(twin(x), labels)
        loss.backward()
        optimizer.step()
        return (loss.detach(),)

    return step


def _folded(twin):
    """Return the network with batch norm folded into the convolutions before it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts of PyTorch that are not used here
        from torch.fx.experimental.optimization import fuse

        return fuse(twin)


def _op(workload, peer):
    case = op_cases.CASES[workload.case]
    x, learned, dy = op_cases.arrays(case)
    layout = torch.channels_last if peer.channels_last else torch.contiguous_format
    leaves, dy = [torch.from_numpy(a) for a in (x, *learned)], torch.from_numpy(dy)
    dy, *leaves = [t.to(memory_format=layout) if t.ndim == 4 else t for t in (dy, *leaves)]
    forward = OPS[case.op]
    if not workload.backward:
        return lambda: _without_gradients(forward, case, leaves)
    for leaf in leaves:
        leaf.requires_grad_()

    def both():
        y = forward(case, *leaves)
        return (y.detach(), *torch.autograd.grad(y, leaves, dy))

    return both


def _without_gradients(forward, case, leaves):
    with torch.inference_mode():
        return (forward(case, *leaves),)


def _conv(case, x, weight):
    return F.conv2d(
        x, weight, stride=case.stride, padding=case.padding, groups=case.convolution_groups
    )


def _norm_relu6(case, x, gamma, beta):
    return F.relu6(F.batch_norm(x, None, None, gamma, beta, training=True), inplace=True)


OPS = {
    "depthwise": _conv,
    "pointwise": _conv,
    "conv": _conv,
    "norm_relu6": _norm_relu6,
    "max_pool": lambda c, x: F.max_pool2d(x, c.kernel_size, c.stride, c.padding),
    "shuffle": lambda c, x: F.channel_shuffle(x, c.groups),
}
