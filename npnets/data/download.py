"""Data sets from the network, which their makers publish with an md5."""

from npnets import download


def fetch(name, md5, urls):
    """Return the path of the file called `name`; see npnets.download.fetch."""
    otherwise = ",\nor into a folder of your own and give that as data_dir"
    return download.fetch(name, f"md5:{md5}", urls, otherwise=otherwise)
