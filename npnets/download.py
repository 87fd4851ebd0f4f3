"""Files from the network: checked against a checksum, and kept in the user's cache.

A download that was cut off goes on where it stopped, from whichever server is there: the
checksum of the whole decides, and only a file that has it gets its name.
"""

import os

from npnets.extras import require

CHUNK = 2**16  # bytes
SECONDS = 30  # without an answer


def fetch(name, checksum, urls, folder="", otherwise=""):
    """Return the path of the file called `name`, downloaded from the first url that serves it.

    `checksum` is "md5:..." or "sha256:...", all of its digits or the first few, and `folder`
    a part of the cache. A file there that has the checksum is not downloaded again. Raises
    ConnectionError where no url gave the file, saying what happened at each and how to do it by
    hand; `otherwise` is what else can be done then.
    """
    cache = require("pooch").os_cache("npnets") / folder
    path, part, failures = cache / name, cache / f"{name}.part", []
    if path.is_file() and has(path, checksum):
        return path
    cache.mkdir(parents=True, exist_ok=True)
    for url in urls:
        try:
            _complete(part, url, checksum)
        except require("requests").RequestException as error:
            failures.append(f"  {url}: {error}")
        else:
            os.replace(part, path)
            return path
    kind, _, digits = checksum.partition(":")
    raise ConnectionError(
        "\n".join(
            [
                f"{name} could not be downloaded. Tried:",
                *failures,
                f"To do it by hand, put {name} ({kind} {digits}) into {cache}{otherwise}.",
            ]
        )
    )


def has(path, checksum):
    """Tell whether the checksum of a file begins with these digits."""
    kind, _, digits = checksum.partition(":")
    return require("pooch").file_hash(str(path), kind).startswith(digits)


def _complete(part, url, checksum):
    """Download to `part` what it lacks; all of it, where what was there belongs to another file.

    Raises RequestException where the server fails, or serves a file with another checksum.
    """
    resumed = part.exists()
    _append(part, url)
    if has(part, checksum):
        return
    part.unlink()
    if not resumed:
        kind = checksum.partition(":")[0]
        raise require("requests").RequestException(f"serves a file with another {kind}")
    _complete(part, url, checksum)


def _append(part, url):
    """Append to `part` what the server has beyond it, or begin anew if it does not do that."""
    requests, tqdm = require("requests"), require("tqdm")
    start = part.stat().st_size if part.exists() else 0
    # Some servers turn away programs that do not give their name. What comes must not be packed,
    # so that the length they promise is that of the file.
    headers = {"User-Agent": "npnets", "Accept-Encoding": "identity"}
    headers |= {"Range": f"bytes={start}-"} if start else {}
    with requests.get(url, headers=headers, stream=True, timeout=SECONDS) as answer:
        if start and answer.status_code == requests.codes.requested_range_not_satisfiable:
            return  # there is no more: the checksum says whether it is right
        answer.raise_for_status()
        if answer.status_code != requests.codes.partial_content:
            start = 0
        rest = answer.headers.get("Content-Length")
        total = start + int(rest) if rest else None
        bar = tqdm.tqdm(desc=part.stem, initial=start, total=total, unit="B", unit_scale=True)
        with bar, open(part, "ab" if start else "wb") as file:
            for chunk in answer.iter_content(CHUNK):
                bar.update(file.write(chunk))
