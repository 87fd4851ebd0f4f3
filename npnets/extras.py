"""What npnets can do without: optional packages, imported where they are needed."""

import importlib


def require(module, extra="train"):
    """Return the module of this name, or raise ImportError that says how to install it.

    `extra` is the name of the group in pyproject.toml that the module's package belongs to.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"this needs {package}, which could not be imported ({error}); "
            f'install it with: pip install "npnets[{extra}]"',
            name=module,
        ) from error
