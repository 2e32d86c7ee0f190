"""Imports of optional packages that fail with the command which installs them."""

from __future__ import annotations

import importlib
from types import ModuleType

from fastcnn.errors import MissingDependencyError

# What pip calls packages whose modules have other names.
_PROJECTS = {
    "PIL": "Pillow",
    "google": "protobuf",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}


def import_optional(module: str, *, extra: str) -> ModuleType:
    """Import a module that only an extra of fastcnn installs.

    Parameters
    ----------
    module : str
        Dotted name, for example ``"PIL.Image"``.
    extra : str
        The extra that brings it: ``images``, ``io``, ``cli``, ``demo``, ``parity`` ...

    Returns
    -------
    types.ModuleType
        The module itself (``PIL.Image``, not ``PIL``).

    Raises
    ------
    MissingDependencyError
        The package is not installed. A package that is installed but fails to import one of its
        own dependencies raises that ``ImportError`` unchanged: installing again would not help.

    Examples
    --------
    >>> import_optional("json", extra="io").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        project = _PROJECTS.get(package, package)
        raise MissingDependencyError(
            f'{project} is not installed; it comes with: pip install "fastcnn[{extra}]"',
            name=error.name,
        ) from error
