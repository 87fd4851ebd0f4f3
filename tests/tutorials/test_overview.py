"""What the map of the chapters is made of."""

import pytest

from npnets.tutorials import overview
from npnets.tutorials.chapters import write


def test_a_glance_is_what_the_first_screen_says(ran):
    (glance,) = overview.glances(ran[0].folder)
    assert (glance.name, glance.title) == ("98_sums", "98 · Sums")
    assert glance.able == ("add numbers, and see that you did",)
    assert (glance.read, glance.exercises) == ("a minute", 4)
    assert glance.seconds == ran[0].read()["metadata"]["npnets"]["seconds"]


def test_a_chapter_that_was_never_run_is_not_on_the_map(sample):
    assert overview.glances(sample.folder) == []


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("**It takes** about an hour to read with the exercises, under a minute", "an hour"),
        ("**It takes** about an hour and a half with the exercises, and", "an hour and a half"),
        ("It takes two hours, and nothing else.", "two hours"),
        ("It is long.", "–"),
    ],
)
def test_the_time_to_read_is_found(notebook, sample, said, read):
    first = notebook["cells"][0]
    first["source"] = f"# 98 · Sums\n\n- add;\n- take\n  away.\n\n{said}\n- no end"
    write(notebook, sample.notebook)
    glance = overview.glance(sample)
    assert glance.read == read
    assert glance.able[:2] == ("add", "take away")


def test_a_table_reads_in_a_terminal_and_in_a_notebook():
    table = overview.Table({"name": ["a|b", "c"], "n": ["1", "200"]})
    assert repr(table) == "name  n\na|b   1\nc     200"
    assert table._repr_markdown_() == "| name | n |\n| --- | --- |\n| a\\|b | 1 |\n| c | 200 |"
