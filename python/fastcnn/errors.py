"""The exceptions fastcnn raises.

Every one derives from :class:`FastcnnError`, so that one ``except`` catches what the library
reports, and also from the builtin a caller would expect, so that ``except ValueError`` or
``except FileNotFoundError`` keep working.

Examples
--------
>>> issubclass(ShapeError, ValueError) and issubclass(ShapeError, FastcnnError)
True
"""

from __future__ import annotations

from typing import TypeVar


class FastcnnError(Exception):
    """Base of every exception that fastcnn raises on purpose.

    Attributes
    ----------
    advice : str
        The end of the message, where that is an argument that would help. Commands, whose options
        have other names, say it in their own words.
    """

    advice = ""


class ShapeError(FastcnnError, ValueError):
    """An array has a shape the operation cannot take."""


class DTypeError(FastcnnError, TypeError):
    """An array has a dtype, or an argument a type, the operation cannot take."""


class ConfigError(FastcnnError, ValueError):
    """An option, or a combination of options, has no meaning."""


class UnsupportedError(FastcnnError, NotImplementedError):
    """The request is meaningful, but this build or machine cannot carry it out."""


class MissingDependencyError(FastcnnError, ImportError):
    """An optional package is needed; the message says which extra installs it."""


class FileFormatError(FastcnnError, ValueError):
    """A file is damaged, hostile or of an unknown kind.

    The message names the file, what was expected and what came instead.
    """


class FileAccessError(FastcnnError, OSError):
    """The operating system refused to open or to write a file."""


class MissingFileError(FileAccessError, FileNotFoundError):
    """A file that was asked for does not exist."""


class MissingWeightsError(MissingFileError):
    """A file of weights does not exist."""


class FaceError(FastcnnError, ValueError):
    """A picture has not the one face that was asked for: none, several, or too small a one."""


class NumericsError(FastcnnError, ArithmeticError):
    """Training met NaN or infinity; the message says where it appeared first."""


_Error = TypeVar("_Error", bound=FastcnnError)


def advised(error: _Error, advice: str) -> _Error:
    """Add to an error's message which argument would help.

    Examples
    --------
    >>> str(advised(ConfigError("cat.jpg is damaged"), 'on_error="skip" leaves it out'))
    'cat.jpg is damaged; on_error="skip" leaves it out'
    """
    error.args = (f"{error}; {advice}",)
    error.advice = advice
    return error
