"""Optional packages: npnets.data does without them until it needs one, and then says so."""

import subprocess
import sys

import pytest

from npnets import data
from npnets.extras import require


def test_data_can_be_imported_without_any_extra():
    packages = ("PIL", "pooch", "sklearn", "tqdm")
    block = "".join(f"sys.modules[{package!r}] = None; " for package in packages)
    subprocess.run([sys.executable, "-c", f"import sys; {block}import npnets.data"], check=True)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.datasets", "digits"),
        ("sklearn.model_selection", "digits"),
        ("pooch", "cifar10"),
        ("tqdm", "fashion_mnist"),
        ("PIL.Image", "folder"),
    ],
)
def test_a_missing_extra_says_how_to_install_it(module, name, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "class").mkdir()
    for file in ("0.png", "1.png"):
        (tmp_path / "class" / file).touch()
    package = module.partition(".")[0]
    with pytest.raises(ImportError, match=rf'{package}.*pip install "npnets\[train\]"'):
        data.load(name, tmp_path if name == "folder" else None)


def test_require_returns_the_module_and_names_the_extra_it_is_asked_for():
    assert require("json.decoder").JSONDecoder
    with pytest.raises(ImportError, match=r'no_such_package.*pip install "npnets\[parity\]"'):
        require("no_such_package.part", "parity")
