"""Standard output and error that never fail on a character: what a terminal cannot show is spelled in ASCII."""

import codecs
import io
import sys

# of what this program draws and says; the names of the characters, as some of them look like ASCII
SPELLED = {
    **dict.fromkeys("█▇■", "#"),
    **dict.fromkeys("·•─━╸╺—\N{EN DASH}\N{MINUS SIGN}", "-"),
    **dict.fromkeys("│┃", "|"),
    **dict.fromkeys("\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}", "'"),
    **dict.fromkeys("“”", '"'),
    "→": "->",
    "←": "<-",
    "…": "...",
    "±": "+-",
    "≥": ">=",
    "≤": "<=",
    "\N{MULTIPLICATION SIGN}": "x",
}
HANDLER = "lse_gym.spelled"


def spelled(error: UnicodeError) -> tuple[str, int]:
    """Error handler of an encoding: the characters that it lacks in ASCII, ``?`` for those that have no spelling."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(SPELLED.get(char, "?") for char in error.object[error.start : error.end]), error.end


def show_what_can_be_shown() -> None:
    """Let standard output and error take any text, whatever their encoding (``LC_ALL=C``, a code page of Windows)."""
    codecs.register_error(HANDLER, spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)
