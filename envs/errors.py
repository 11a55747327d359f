"""Every error of this package, and the one sentence shape they share: what was given, what is valid, what to do."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING

from gymnasium.error import DependencyNotInstalled, MissingArgument

from lse_gym.envs.redaction import redact

if TYPE_CHECKING:
    from lse_gym.envs.models.base import Request, Response


class LSEGymError(Exception):
    """Base of every error that this package raises on purpose; no message of one holds a key or a password."""

    def __init__(self, *args: object):
        super().__init__(*(redact(arg) if isinstance(arg, str) else arg for arg in args))


class UnknownNameError(LSEGymError, ValueError):
    """A name that is not in the list of valid names."""


class ArgumentError(LSEGymError, ValueError):
    """An argument outside its valid range."""


class MissingExtraError(LSEGymError, ImportError, DependencyNotInstalled):
    """An optional dependency that is not installed."""


class DataError(LSEGymError, ValueError):
    """A data directory or file that cannot be used; the message lists every problem found."""


class MissingArgumentError(DataError, ArgumentError, MissingArgument):
    """An id that needs data or code of the user's, and was given none."""


class ProviderError(LSEGymError, RuntimeError):
    """A model backend that failed to answer: never a score of zero.

    Attributes:
        answered: the responses that did come, by request; they are paid for and kept, so repeating asks for the rest.
    """

    def __init__(self, message: str, answered: "Mapping[Request, Response] | None" = None):
        super().__init__(message)
        self.answered = answered or {}


class AuthenticationError(ProviderError):
    """A key that the server refuses."""


class UnknownModelError(ProviderError):
    """A model that the server does not have."""


class NoToolsError(ProviderError):
    """A server that takes no tools as it was started: other requests would fail alike."""


class QuotaError(ProviderError):
    """A quota that is used up: waiting does not help."""


class UnavailableError(ProviderError):
    """A server that is not there or does not answer in time: other requests would fail alike."""


class ContextLengthError(ProviderError):
    """A prompt longer than the model's window."""


class BudgetExhausted(LSEGymError, RuntimeError):  # noqa: N818 - the word of the field, as in StopIteration
    """A cost that does not fit into what is left of the budget; nothing was spent."""


class Withheld(LSEGymError, RuntimeError):  # noqa: N818 - nothing went wrong
    """Sealed scores that a host keeps to itself until all runs of their play have ended."""


class ExecutorError(LSEGymError, RuntimeError):
    """The SQL executor itself failed (not the statement it was given)."""


class SandboxError(LSEGymError, RuntimeError):
    """Foreign code cannot be confined here, or the confinement itself ended (not the code in it)."""


class SetupError(SandboxError):
    """The warm process of a sandbox could not import or set up what it was given."""


class EngineError(LSEGymError, RuntimeError):
    """The cluster that jobs were given to cannot be used, or has lost one again and again (not the job itself)."""


class RunDirectoryError(LSEGymError, ValueError):
    """A run directory that belongs to another configuration or cannot be continued."""


def unknown(kind: str, given: object, valid: Iterable[str], advice: str = "") -> UnknownNameError:
    """Build the error for a name that is not known: lists the valid names and the nearest match.

    Args:
        kind: what the name stands for, as a noun (``"domain"``).
        given: the name as it was given.
        valid: every valid name; a list of more than 40 is cut and says so.
        advice: what to do, in one sentence, appended to the message.
    """
    names = sorted(valid)
    shown = ", ".join(repr(name) for name in names[:40]) + (f", … ({len(names)} in all)" if len(names) > 40 else "")
    nearest = get_close_matches(str(given), names, n=1, cutoff=0.5)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return UnknownNameError(f"{given!r} is not a known {kind}; known: {shown}.{hint}{' ' + advice if advice else ''}")
