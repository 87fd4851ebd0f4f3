"""What the four networks ask of their arguments."""

from npnets.ops import check


def check_width(width_mult):
    """Raise ValueError unless the width multiplier is a positive number."""
    number = isinstance(width_mult, int | float) and not isinstance(width_mult, bool)
    if not (number and 0 < width_mult < float("inf")):
        raise ValueError(f"width_mult must be a positive number, got {width_mult!r}")


def check_column(name, value, table):
    """Raise ValueError unless the paper's table has a column for this value."""
    if value not in table:
        raise ValueError(f"{name} must be one of {', '.join(map(str, table))}, got {value!r}")


def check_classes(num_classes, in_channels):
    """Raise ValueError unless both are positive ints."""
    check.at_least(1, num_classes=num_classes, in_channels=in_channels)


def check_widths(widths, count):
    """Return the channels of each part of a network, `count` positive ints; None stays None."""
    if widths is None:
        return None
    if len(widths) != count:
        raise ValueError(f"widths must be {count} numbers of channels, got {widths!r}")
    check.at_least(1, **{f"widths[{i}]": channels for i, channels in enumerate(widths)})
    return widths
