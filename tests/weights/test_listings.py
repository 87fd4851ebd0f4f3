"""Names and shapes of published code, of every variant: the maps give these very ones back.

listings.csv keeps of each a checksum, so that this can be tested without the listings; where
those are, random numbers under their names load, to the last of them.
"""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from npnets.weights import load_arrays
from npnets.weights.load import sources_of
from npnets.weights.recognize import recognize

SHARED = Path(__file__).parents[3] / "shared" / "reference" / "state_dict"
LISTINGS = {path.stem: path for path in sorted(SHARED.glob("*.json"))}
with open(Path(__file__).with_name("listings.csv"), encoding="utf-8") as file:
    ROWS = {row["listing"]: row for row in csv.DictReader(file)}
NOT_OURS = {
    "megvii_shufflenet_v2_large": "none of the four networks, but .*squeeze-and-excitation"
}


def digest(shapes):
    """Return the checksum of {name: shape}."""
    lines = [f"{name} {' '.join(map(str, shape))}" for name, shape in sorted(shapes.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def listed(path):
    """Return {name: shape} of a listing, without the counters of batches."""
    listing = json.loads(path.read_text(encoding="utf-8"))
    shapes = listing.get("state_dict", {})
    for layer in listing.get("layers", []):  # as Keras has them
        shapes |= layer["weights"]
    return {n: tuple(s) for n, s in shapes.items() if not n.endswith("num_batches_tracked")}


@pytest.mark.parametrize("listing", ROWS)
def test_a_map_gives_the_names_and_shapes_of_the_listing(listing):
    row = ROWS[listing]
    options = json.loads(row["options"])
    sources = [s for s in sources_of(row["maker"]) if s.network.__name__ == row["network"]]
    shapes = sources[0].shapes(sources[0].build(**options))
    assert len(shapes) == int(row["arrays"])
    assert digest(shapes) == row["sha256"]

    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    fit = recognize(arrays, sources_of("auto"))
    told = fit.options | {name: tuple(v) for name, v in fit.options.items() if name == "widths"}
    assert fit.source.maker == row["maker"]
    assert json.loads(json.dumps(told)) == options


@pytest.mark.skipif(not LISTINGS, reason="../shared/reference is not here")
def test_there_is_a_row_for_each_listing():
    assert LISTINGS.keys() == ROWS.keys() | NOT_OURS.keys()


@pytest.mark.parametrize("listing", [name for name in ROWS if name in LISTINGS])
def test_random_numbers_with_the_names_of_a_listing_load(listing):
    rng = np.random.default_rng(1)
    shapes = listed(LISTINGS[listing])
    assert digest(shapes) == ROWS[listing]["sha256"]
    arrays = {name: rng.random(shape, np.float32) for name, shape in shapes.items()}
    arrays["some.num_batches_tracked"] = np.int64(3)

    net = load_arrays(arrays)
    assert net.source.maker == ROWS[listing]["maker"]
    taken = {theirs for _, theirs, _ in net.source.rows}
    assert taken == shapes.keys()
    values = sum(float(a.sum(dtype=float)) for name, a in arrays.items() if name in shapes)
    assert sum(float(a.sum(dtype=float)) for a in net.state().values()) == pytest.approx(values)


@pytest.mark.parametrize("listing", [name for name in NOT_OURS if name in LISTINGS])
def test_other_networks_are_refused_with_the_reason(listing):
    shapes = listed(LISTINGS[listing])
    arrays = {name: np.broadcast_to(np.float32(1), shape) for name, shape in shapes.items()}
    with pytest.raises(ValueError, match=NOT_OURS[listing]):
        load_arrays(arrays)
