"""The K × K window that convolution and pooling slide over an image. Start reading here.

Output pixel (p, q) sees the K × K input pixels

    h = p·stride + i·dilation − top,     w = q·stride + j·dilation − left,     i, j = 0 … K−1,

where pixels outside of the image count as zero (or −∞, for a maximum). A *tap* is what one
position (i, j) of the window sees from every output pixel at once: a strided view of the padded
image. K × K taps, each as large as the output, say all there is to say about a window.
"""

from functools import lru_cache

import numpy as np

from npnets.ops import check


def four_sides(padding):
    """Return padding, an int or (top, bottom, left, right), as four ints, in pixels."""
    if type(padding) is int and padding >= 0:  # nearly always, and soon said
        return (padding,) * 4
    sides = (padding,) * 4 if np.ndim(padding) == 0 else tuple(padding)
    if len(sides) != 4:
        raise ValueError(f"padding must be an int or (top, bottom, left, right), got {padding!r}")
    for side in sides:
        check.at_least(0, padding=side)
    return tuple(int(side) for side in sides)


def output_size(size, kernel_size, stride=1, before=0, after=0, dilation=1):
    """Return how many windows fit along one axis of `size` pixels.

        P  =  (H + before + after − dilation·(K − 1) − 1) // stride + 1

    The floor drops the last rows that no window starts in: with stride 2, an even size and an
    odd kernel, one padded row is left over. Raises ValueError where not one window fits.
    """
    check.at_least(1, kernel_size=kernel_size, stride=stride, dilation=dilation)
    span = dilation * (kernel_size - 1) + 1
    if span > size + before + after:
        raise ValueError(
            f"the kernel spans {span} pixels, more than the padded image has "
            f"({before} + {size} + {after})"
        )
    return (size + before + after - span) // stride + 1


def same_padding(size, kernel_size, stride=1, dilation=1):
    """Return (top, bottom, left, right) of TensorFlow's padding "same" for images of (H, W).

        P  =  ⌈H / stride⌉,     top + bottom  =  max((P − 1)·stride + dilation·(K − 1) + 1 − H, 0)

    An odd pixel goes below and to the right. With stride 2 and a 3 × 3 kernel that is (0, 1, 0, 1)
    where the size is even, where `padding=1` looks one pixel further up and left; and (1, 1, 1, 1)
    where it is odd. Source: tensorflow.org/api_docs/python/tf/nn, "Notes on padding".
    """
    check.at_least(1, kernel_size=kernel_size, stride=stride, dilation=dilation)
    sides = ()
    for pixels in size:
        last = (-(-pixels // stride) - 1) * stride  # where the last window starts
        border = max(last + dilation * (kernel_size - 1) + 1 - pixels, 0)
        sides += border // 2, border - border // 2
    return sides


def on_images(x, window, kernel_size=None):
    """Return the options of a window, a dict, for images x: "same" becomes the four sides."""
    if window["padding"] != "same":
        return window
    K = window["kernel_size"] if kernel_size is None else kernel_size
    sides = same_padding(x.shape[2:], K, window["stride"] or K, window.get("dilation", 1))
    return {**window, "padding": sides}


def output_shape(x, kernel, stride, padding, dilation=1):
    """Return (P, Q), the output's height and width for a kernel of (K, K) pixels."""
    return _output_shape(x.shape[2:], tuple(kernel), stride, four_sides(padding), dilation)


@lru_cache(maxsize=1024, typed=True)  # each call of an operation asks: 8 µs, remembered 1
def _output_shape(size, kernel, stride, sides, dilation):
    top, bottom, left, right = sides
    return (
        output_size(size[0], kernel[0], stride, top, bottom, dilation),
        output_size(size[1], kernel[1], stride, left, right, dilation),
    )


def pad(x, padding, value=0):
    """Return x, (N, C, H, W), with a border of `value`; x itself where there is no border."""
    top, bottom, left, right = four_sides(padding)
    if not any((top, bottom, left, right)):
        return x
    N, C, H, W = x.shape
    padded = np.full((N, C, top + H + bottom, left + W + right), value, x.dtype)
    unpad(padded, padding)[...] = x
    return padded


def unpad(x, padding):
    """Return the view of x without its border: the gradient of `pad`."""
    top, bottom, left, right = four_sides(padding)
    return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]


def taps(padded, kernel, stride, dilation, out):
    """Yield (i, j, view) for each position of the window; each view is (N, C, P, Q).

    A view of the padded image reads what the position sees; a view of the padded gradient says
    where to add what flows back through it.
    """
    (KH, KW), (P, Q) = kernel, out
    for i in range(KH):
        rows = slice(i * dilation, i * dilation + stride * (P - 1) + 1, stride)
        for j in range(KW):
            columns = slice(j * dilation, j * dilation + stride * (Q - 1) + 1, stride)
            yield i, j, padded[:, :, rows, columns]
