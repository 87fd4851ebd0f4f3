"""Files from the network: checked against a checksum, and kept in the user's cache."""

from pathlib import Path

from npnets.extras import require


def fetch(name, md5, urls):
    """Return the path of the file called `name`, downloaded from the first url that serves it.

    A file in the cache with this md5 is not downloaded again. A download goes to a temporary
    file and gets its name only when it is complete and the md5 is right. Raises ConnectionError
    where no url gave the file, saying what happened at each and how to do it by hand.
    """
    pooch, requests = require("pooch"), require("requests")
    require("tqdm")  # draws pooch's progress bar
    cache, failures = pooch.os_cache("npnets"), []
    for url in urls:
        # Zenodo asks programs for their name, and at times turns away those that give none.
        downloader = pooch.HTTPDownloader(progressbar=True, headers={"User-Agent": "npnets"})
        try:
            return Path(pooch.retrieve(url, f"md5:{md5}", name, cache, downloader=downloader))
        except (requests.RequestException, ValueError) as error:  # ValueError: another md5
            failures.append(f"  {url}: {error}")
    raise ConnectionError(
        "\n".join(
            [
                f"{name} could not be downloaded. Tried:",
                *failures,
                f"To do it by hand, put {name} (md5 {md5}) into {cache},",
                "or into a folder of your own and give that as data_dir.",
            ]
        )
    )
