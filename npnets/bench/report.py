"""What the times say: a row of numbers for each workload and peer, and tables to read."""

from dataclasses import dataclass

from npnets.bench import stats

OURS, FOLDED = "npnets", "npnets-folded"
RULE = "─"


@dataclass(frozen=True)
class Row:
    """A workload as one peer ran it. `over` are our medians over the peer's: below 1, we lead.

    None is what is not known, or has no meaning there.
    """

    workload: str
    kind: str
    group: str
    title: str
    peer: str
    threads: int
    count: int
    median_ms: float
    q1_ms: float
    q3_ms: float
    min_ms: float
    npnets_over_peer: float
    folded_over_peer: float | None
    gmacs_per_s: float | None
    share_of_product: float | None
    gb_per_s: float | None
    share_of_bandwidth: float | None
    first_ms: float
    baseline_mb: float | None
    peak_mb: float | None


def rows(workload, found, threads, limits):
    """Return the rows of a workload, from what turns.measure found and the machine's limits."""
    summaries = {name: stats.summarize(m["seconds"]) for name, m in found.items()}
    medians = {name: summary["median"] for name, summary in summaries.items()}
    result = []
    for name, summary in summaries.items():
        m, median = found[name], summary["median"]
        gmacs = workload.macs / median / 1e9 if workload.macs else None
        gbs = workload.bytes / median / 1e9 if workload.bytes else None
        train = workload.kind == "step"
        result.append(Row(
            workload.name, workload.kind, workload.group, workload.title, name, threads,
            summary["count"],
            **{f"{key}_ms": 1e3 * summary[key] for key in ("median", "q1", "q3", "min")},
            npnets_over_peer=medians[OURS] / median,
            folded_over_peer=medians[FOLDED] / median if FOLDED in medians else None,
            gmacs_per_s=gmacs, share_of_product=gmacs and 2 * gmacs / limits["gflops"],
            gb_per_s=gbs, share_of_bandwidth=gbs and gbs / limits["gb_per_s"],
            first_ms=1e3 * m["first"],
            baseline_mb=_mb(m["baseline"]) if train else None,
            peak_mb=_mb(m["peak"]) if train else None,
        ))  # fmt: skip
    return result


def _mb(count):
    return None if count is None else count / 1e6


def network_table(rows):
    """Return the table of one workload of a network."""
    columns = {
        "peer": [row.peer for row in rows],
        "ms": [ms(row.median_ms) for row in rows],
        "quartiles": [f"{ms(row.q1_ms)} – {ms(row.q3_ms)}" for row in rows],
        "min": [ms(row.min_ms) for row in rows],
        "npnets ÷": [f"{row.npnets_over_peer:.2f}" for row in rows],
        "folded ÷": [_or_dash(row.folded_over_peer, "{:.2f}") for row in rows],
        "GMAC/s": [_or_dash(row.gmacs_per_s, "{:.1f}") for row in rows],
        "limit": [_or_dash(row.share_of_product, "{:.0%}") for row in rows],
        "peak MB": [_or_dash(row.peak_mb, "{:.0f}") for row in rows],
        "before": [_or_dash(row.baseline_mb, "{:.0f}") for row in rows],
        "first s": [f"{row.first_ms / 1e3:.2f}" for row in rows],
    }
    for name in ("folded ÷", "peak MB", "before"):
        if set(columns[name]) == {"–"}:
            del columns[name]
    title = f"{rows[0].group}: {rows[0].title} ({rows[0].count} runs of npnets)"
    return "\n".join([title, *table(columns)])


def ops_table(groups):
    """Return one table of all ops: a line for each, npnets first, and the others beside it."""
    names = [row.peer for row in groups[0]]
    columns = {
        "op": [rows[0].group for rows in groups],
        "": ["f+b" if "and" in rows[0].title else "f" for rows in groups],
        "npnets": [ms(rows[0].median_ms) for rows in groups],
        "limit": [_of_limit(rows[0]) for rows in groups],
    }
    for k, name in enumerate(names[1:], 1):
        columns[short(name)] = [_beside(rows[k]) for rows in groups]
    title = "single operations, forward (f) or with backward (f+b): ms, and npnets ÷ in brackets"
    return "\n".join([title, *table(columns)])


def _beside(row):
    ratio = row.npnets_over_peer
    return f"{ms(row.median_ms)} ({ratio:.{2 if ratio < 10 else 1}f})"


def _of_limit(row):
    """Return the larger of two shares: of the matrix product (P), of the bandwidth (B)."""
    product, bandwidth = row.share_of_product or 0, row.share_of_bandwidth or 0
    return f"{max(product, bandwidth):.0%} {'P' if product > bandwidth else 'B'}"


def short(name):
    """torch-channels-last-tuned -> cl tuned"""
    return name.removeprefix("torch-").replace("channels-last", "cl").replace("-", " ")


def ms(milliseconds):
    """Return milliseconds to three digits or to the whole number: 0.123, 12.3, 1234."""
    digits = 3 if milliseconds < 1 else 2 if milliseconds < 10 else 1 if milliseconds < 100 else 0
    return f"{milliseconds:.{digits}f}"


def _or_dash(value, form):
    return "–" if value is None else form.format(value)


def table(columns):
    """Return the lines of a table: the first column to the left, the others to the right."""
    widths = [max(map(len, [head, *cells])) for head, cells in columns.items()]
    lines = [list(columns), *zip(*columns.values(), strict=True)]
    text = [
        "  ".join([f"{line[0]:<{widths[0]}}"]
                  + [f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)])
        for line in lines
    ]  # fmt: skip
    return [text[0], RULE * len(text[0]), *text[1:]]


def about(machine, limits):
    """Return what the machine is, and its limits, as lines to read."""
    versions = ", ".join(f"{name} {v}" for name, v in machine["packages"].items() if v)
    lines = [
        f"{machine['cpu']}, {machine['cores usable']} cores usable, {machine['threads']} threads",
        f"{machine['system']}, Python {machine['python']}",
        versions,
    ]
    for threads, limit in limits.items():
        many = "1 thread " if threads == 1 else f"{threads} threads"
        lines.append(f"limits, {many}: matrix product {limit['gflops']:.0f} GFLOP/s, "
                     f"memory {limit['gb_per_s']:.1f} GB/s")  # fmt: skip
    settings = machine["environment"]
    if settings:
        lines.append("environment: " + " ".join(f"{k}={v}" for k, v in settings.items()))
    if "OPENBLAS_CORETYPE" in settings:
        lines.append("note: OPENBLAS_CORETYPE may halve NumPy's matrix products; unset it")
    return "\n".join(lines)
