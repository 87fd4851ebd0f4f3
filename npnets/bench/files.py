"""What a benchmark leaves in its folder: results.json, results.csv, and its charts."""

import csv
import dataclasses
import io
import json

from npnets.bench.report import Row
from npnets.files import write_text

RAW = "difference", "seconds"


def write_json(path, machine, limits, measured):
    """Write everything: the machine, and for each row its numbers and all of its times.

    measured is a list of (rows, {peer: measurement}), one for each workload.
    """
    results = [
        {**dataclasses.asdict(row), **{key: found[row.peer][key] for key in RAW}}
        for rows, found in measured
        for row in rows
    ]
    everything = {"machine": machine, "limits": limits, "results": results}
    write_text(path, json.dumps(everything, indent=1) + "\n")


def write_csv(path, measured):
    """Write one line for each workload and peer."""
    text = io.StringIO()
    names = [field.name for field in dataclasses.fields(Row)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for rows, _ in measured:
        writer.writerows({k: _short(v) for k, v in vars(row).items()} for row in rows)
    write_text(path, text.getvalue())


def _short(value):
    """A float with as many digits as a time has."""
    return f"{value:.6g}" if isinstance(value, float) else value
