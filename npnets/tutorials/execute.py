"""How a text becomes a notebook: each cell runs, in order, in a fresh kernel without a network."""

import hashlib
import os
import re
import tempfile
import time
from pathlib import Path

from npnets.extras import require
from npnets.tutorials.chapters import PACKAGE, read

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "name": "python",
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "pygments_lexer": "ipython3",
}
KEPT = "nbgrader", "slideshow", "tags"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
OFFLINE = '''\
"""A chapter reaches no other machine."""
import socket


def _local_only(method):
    def connect(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "localhost", "::1"):
            raise OSError(f"a chapter tried to connect to {address}")
        return method(self, address)

    return connect


socket.socket.connect = _local_only(socket.socket.connect)
socket.socket.connect_ex = _local_only(socket.socket.connect_ex)
del socket, _local_only
'''


def from_text(path):
    """Return the notebook, without outputs, that a text in the py:percent format describes."""
    jupytext = require("jupytext", "tutorials")
    cells = jupytext.read(path, fmt="py:percent").cells
    metadata = {"kernelspec": KERNEL, "language_info": LANGUAGE}
    seen = {}
    cells = [_cell(cell, seen) for cell in cells]
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _cell(cell, seen):
    """Return a cell with nothing but what a reader needs, and an id that its text decides."""
    text = f"{cell['cell_type']}\n{cell['source']}"
    number = seen[text] = seen.get(text, 0) + 1
    digest = hashlib.sha256(f"{number}\n{text}".encode()).hexdigest()
    kept = {name: value for name, value in cell["metadata"].items() if name in KEPT}
    made = {"cell_type": cell["cell_type"], "id": digest[:8], "metadata": kept}
    made["source"] = cell["source"]
    if cell["cell_type"] == "code":
        made |= {"execution_count": None, "outputs": []}
    return made


def code_hash(notebook):
    """Return a hash of the code cells, in their order."""
    sources = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def same_text(one, other):
    """Return whether two notebooks have the same cells, outputs and run apart."""
    return _texts(one) == _texts(other)


def _texts(notebook):
    return [
        (
            cell["cell_type"],
            cell["source"],
            {name: value for name, value in cell["metadata"].items() if name in KEPT},
        )
        for cell in notebook["cells"]
    ]


def execute(notebook, quick=False, timeout=180):
    """Run all cells in a fresh kernel, in an empty folder; return a notebook with the outputs.

    `timeout` is for each cell, in seconds. In the metadata, under "npnets", are the hash of the
    code that ran, the seconds it took, and whether the run was quick. Raises ValueError with the
    traceback where a cell fails, but for cells with the tag raises-exception; and where one takes
    too long, or ends the kernel.
    """
    nbclient, nbformat = (require(name, "tutorials") for name in ("nbclient", "nbformat"))
    run = nbformat.from_dict(notebook)
    names = "CellExecutionError", "CellTimeoutError", "DeadKernelError"
    errors = tuple(getattr(nbclient.exceptions, name) for name in names)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        client = nbclient.NotebookClient(
            run, timeout=timeout, kernel_name="python3", record_timing=False,
            coalesce_streams=True, resources={"metadata": {"path": folder}},
            extra_arguments=["--log-level=ERROR"],
        )  # fmt: skip
        start = time.perf_counter()
        try:
            client.execute(env=_environment(folder, quick))
        except errors as error:
            raise ValueError(COLOUR.sub("", str(error)).strip()) from None
        seconds = time.perf_counter() - start
    run.metadata.clear()
    run.metadata |= notebook["metadata"]
    about = {"code_sha256": code_hash(notebook), "seconds": round(seconds, 1), "quick": quick}
    run.metadata["npnets"] = about
    return run


def _environment(folder, quick):
    """Return the environment of the kernel: this npnets, no settings of the user's, no network."""
    home = tempfile.mkdtemp(prefix=".ipython-", dir=folder)
    startup = Path(home, "profile_default", "startup")
    startup.mkdir(parents=True)
    (startup / "00_offline.py").write_text(OFFLINE, encoding="utf-8")
    paths = [str(PACKAGE.parents[1]), os.environ.get("PYTHONPATH")]
    return {
        **os.environ,
        "IPYTHONDIR": home,
        "NPNETS_QUICK": "1" if quick else "0",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else the debugger warns at each start
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


def with_outputs_of(notebook, run):
    """Return the notebook with the outputs of a run of the same code.

    Raises ValueError where the code is another.
    """
    if code_hash(notebook) != run["metadata"].get("npnets", {}).get("code_sha256"):
        raise ValueError("the code is not what ran; run the chapter again")
    ran = iter([cell for cell in run["cells"] if cell["cell_type"] == "code"])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            before = next(ran)
            cell |= {name: before[name] for name in ("execution_count", "outputs")}
    notebook["metadata"]["npnets"] = run["metadata"]["npnets"]
    return notebook


def differences(chapter):
    """Return what is not as the last run left it: a list of sentences, empty where all is well."""
    if not chapter.notebook.exists():
        return ["was never run"]
    run, found = read(chapter.notebook), []
    about = run["metadata"].get("npnets", {})
    if not same_text(from_text(chapter.source), run):
        found.append(f"the notebook and {chapter.source.name} differ")
    if about.get("code_sha256") != code_hash(run):
        found.append("the outputs are not those of the code")
    if about.get("quick") is not False:
        found.append("the outputs are not those of a full run")
    return found
