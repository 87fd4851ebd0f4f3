"""What a program can check of the code of a chapter."""

import ast
import re
import symtable
import sys

CELL_LINES, CHAPTER_LINES, WIDTH = 30, 250, 99
RANDOM = "np.random.default_rng", "np.random.Generator"
PACKAGES = {"numpy", "numba", "matplotlib", "npnets"}


def code_cells(notebook):
    """Return (number, source) of each code cell; the first cell of a notebook is 1."""
    cells = enumerate(notebook["cells"], 1)
    return [(number, cell["source"]) for number, cell in cells if cell["cell_type"] == "code"]


def lines(source):
    """Return how many lines there are, those that are blank or only a comment left out."""
    return sum(bool(line.strip()) and line.strip()[0] != "#" for line in source.splitlines())


def width(notebook):
    """No line is wider than a screen."""
    for number, source in code_cells(notebook):
        widest = max(map(len, source.splitlines()), default=0)
        if widest > WIDTH:
            yield f"cell {number} has a line of {widest} characters, more than {WIDTH}"


def length(notebook):
    """A cell fits on a screen, and the code of a chapter can be read in a sitting."""
    for number, source in code_cells(notebook):
        if lines(source) > CELL_LINES:
            yield f"cell {number} has {lines(source)} lines, more than {CELL_LINES}"
    total = sum(lines(source) for _, source in code_cells(notebook))
    if total > CHAPTER_LINES:
        yield f"{total} lines of code are more than {CHAPTER_LINES}"


def syntax(notebook):
    """Each cell is plain Python."""
    for number, source in code_cells(notebook):
        try:
            ast.parse(source)
        except SyntaxError as error:
            yield f"cell {number} is no plain Python: {error.msg}"


def _parsed(notebook):
    """Return (number, source, tree) of the cells that are plain Python."""
    found = []
    for number, source in code_cells(notebook):
        try:
            found.append((number, source, ast.parse(source)))
        except SyntaxError:  # see syntax
            continue
    return found


def imports(notebook):
    """Only the standard library and four packages are imported."""
    for number, _, tree in _parsed(notebook):
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or "."]
            for name in names:
                if name.partition(".")[0] not in PACKAGES | sys.stdlib_module_names:
                    yield f"cell {number} imports {name}"


def random(notebook):
    """A cell that draws makes its own generator, with a seed; no state is shared."""
    generators = {name for *_, tree in _parsed(notebook) for name in _generators(tree)}
    for number, source, tree in _parsed(notebook):
        for name in sorted(generators & _globals_read(source) - set(_generators(tree))):
            yield f"cell {number} draws from {name}, which another cell has made"
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node) == "np.random.default_rng()":
                yield f"cell {number} makes a generator without a seed"
            name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if re.fullmatch(r"np\.random\.\w+", name) and name not in RANDOM:
                yield f"cell {number} uses {name}"


def _generators(tree):
    """Return the names that a cell gives, outside of its functions, to generators."""
    return [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "np.random.default_rng"
        for target in node.targets
        if isinstance(target, ast.Name)
    ]


def _globals_read(source):
    """Return the names of the chapter that a cell reads, in its functions, too."""
    tables, names = [symtable.symtable(source, "cell", "exec")], set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        top = table.get_type() == "module"
        names |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and
                  (top or s.is_global())}  # fmt: skip
    return names


OF_ALL = width, syntax, imports
OF_CHAPTERS = length, random
