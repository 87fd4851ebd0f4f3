"""Checkpoints that their makers give away, by name: the network's, and the data it has learned.

Both makers put the first digits of the sha256 into the name of a file, as PyTorch's hub wants it.
Sources: torchvision/models/mobilenetv2.py and shufflenetv2.py; README.md of
github.com/chenyaofo/pytorch-cifar-models. Accuracies are what they claim there.
"""

from dataclasses import dataclass
from difflib import get_close_matches

from npnets.download import fetch

TORCHVISION = "https://download.pytorch.org/models"
CHENYAOFO = "https://github.com/chenyaofo/pytorch-cifar-models/releases/download"
MOBILENET, SHUFFLENET = f"{CHENYAOFO}/mobilenetv2", f"{CHENYAOFO}/shufflenetv2"


@dataclass(frozen=True)
class Published:
    """A checkpoint that can be downloaded, and its top-1 accuracy as its maker has it."""

    url: str
    top1: float  # percent

    @property
    def file(self):
        """The name of the file."""
        return self.url.rpartition("/")[2]

    @property
    def checksum(self):
        """The first digits of its sha256, which are in the name, as "sha256:1308b4e9"."""
        return f"sha256:{self.file.rpartition('-')[2].partition('.')[0]}"


# Photos for "-v2", of torchvision's newer recipe, are resized to 232 pixels and not to 256. Its
# names and shapes are those of the older, so set net.preprocessing to TORCHVISION_232.
# fmt: off
# the name here                  where        the file                                  top-1
CATALOGUE = {name: Published(f"{place}/{file}", top1) for name, place, file, top1 in (
    ("mobilenet_v2-imagenet",       TORCHVISION, "mobilenet_v2-b0353104.pth",              71.878),
    ("mobilenet_v2-imagenet-v2",    TORCHVISION, "mobilenet_v2-7ebf99e0.pth",              72.154),
    ("shufflenet_v2_x0_5-imagenet", TORCHVISION, "shufflenetv2_x0.5-f707e7126e.pth",       60.552),
    ("shufflenet_v2_x1_0-imagenet", TORCHVISION, "shufflenetv2_x1-5666bf0f80.pth",         69.362),
    ("shufflenet_v2_x1_5-imagenet", TORCHVISION, "shufflenetv2_x1_5-3c479a10.pth",         72.996),
    ("shufflenet_v2_x2_0-imagenet", TORCHVISION, "shufflenetv2_x2_0-8be3c8ee.pth",         76.230),
    ("mobilenet_v2_x0_5-cifar10",   MOBILENET,   "cifar10_mobilenetv2_x0_5-ca14ced9.pt",   92.88),
    ("mobilenet_v2_x0_75-cifar10",  MOBILENET,   "cifar10_mobilenetv2_x0_75-a53c314e.pt",  93.72),
    ("mobilenet_v2-cifar10",        MOBILENET,   "cifar10_mobilenetv2_x1_0-fe6a5b48.pt",   93.79),
    ("mobilenet_v2_x1_4-cifar10",   MOBILENET,   "cifar10_mobilenetv2_x1_4-3bbbd6e2.pt",   94.22),
    ("shufflenet_v2_x0_5-cifar10",  SHUFFLENET,  "cifar10_shufflenetv2_x0_5-1308b4e9.pt",  90.13),
    ("shufflenet_v2_x1_0-cifar10",  SHUFFLENET,  "cifar10_shufflenetv2_x1_0-98807be3.pt",  92.98),
    ("shufflenet_v2_x1_5-cifar10",  SHUFFLENET,  "cifar10_shufflenetv2_x1_5-296694dd.pt",  93.55),
    ("shufflenet_v2_x2_0-cifar10",  SHUFFLENET,  "cifar10_shufflenetv2_x2_0-ec31611c.pt",  93.81),
    ("mobilenet_v2_x0_5-cifar100",  MOBILENET,   "cifar100_mobilenetv2_x0_5-9f915757.pt",  70.88),
    ("mobilenet_v2_x0_75-cifar100", MOBILENET,   "cifar100_mobilenetv2_x0_75-d7891e60.pt", 73.61),
    ("mobilenet_v2-cifar100",       MOBILENET,   "cifar100_mobilenetv2_x1_0-1311f9ff.pt",  74.20),
    ("mobilenet_v2_x1_4-cifar100",  MOBILENET,   "cifar100_mobilenetv2_x1_4-8a269f5e.pt",  75.98),
    ("shufflenet_v2_x0_5-cifar100", SHUFFLENET,  "cifar100_shufflenetv2_x0_5-1977720f.pt", 67.82),
    ("shufflenet_v2_x1_0-cifar100", SHUFFLENET,  "cifar100_shufflenetv2_x1_0-9ae22beb.pt", 72.39),
    ("shufflenet_v2_x1_5-cifar100", SHUFFLENET,  "cifar100_shufflenetv2_x1_5-e2c85ad8.pt", 73.91),
    ("shufflenet_v2_x2_0-cifar100", SHUFFLENET,  "cifar100_shufflenetv2_x2_0-e7e584cd.pt", 75.35),
)}
# fmt: on


def download(name):
    """Return the path of a checkpoint of the CATALOGUE, downloaded once and kept in the cache.

    Raises ValueError for an unknown name, and ConnectionError where the file cannot be had; that
    says which file to put where.
    """
    if name not in CATALOGUE:
        nearest = get_close_matches(str(name), CATALOGUE, n=1, cutoff=0)[0]
        raise ValueError(
            f"no checkpoint is called {name!r}, did you mean {nearest!r}? "
            f"There are: {', '.join(CATALOGUE)}"
        )
    published = CATALOGUE[name]
    otherwise = ",\nor anywhere, and give its path instead of the name"
    return fetch(published.file, published.checksum, [published.url], "weights", otherwise)
