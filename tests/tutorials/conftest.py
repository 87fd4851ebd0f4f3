"""The sample, before and after it ran."""

import json

import pytest
from sample import npnets_tutorials, write_sample


@pytest.fixture
def sample(tmp_path):
    """A chapter that has a text and no notebook yet."""
    return write_sample(tmp_path / "chapters")


@pytest.fixture(scope="session")
def ran(tmp_path_factory):
    """The sample with the outputs of a full run, and what was said of it; not to be changed."""
    chapter = write_sample(tmp_path_factory.mktemp("ran"))
    done = npnets_tutorials("run", "98", "--from", chapter.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return chapter, done.stdout


@pytest.fixture
def notebook(ran):
    """The notebook of the sample, to be changed at will."""
    return json.loads(json.dumps(ran[0].read()))
