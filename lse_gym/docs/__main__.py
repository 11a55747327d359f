"""Write or check the generated parts of the READMEs: ``python -m lse_gym.docs --write`` or ``--check``."""

import argparse
import sys
from collections.abc import Sequence

from lse_gym import docs


def main(arguments: Sequence[str] | None = None) -> int:
    """Tell the pages that are not as they should be; 1 if ``--check`` finds one."""
    parser = argparse.ArgumentParser(prog="python -m lse_gym.docs", description=__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true", help="fill in what is generated")
    choice.add_argument("--check", action="store_true", help="only tell which pages are out of date")
    write = parser.parse_args(arguments).write
    stale = 0
    for page in docs.pages():
        old = page.read_text(encoding="utf-8")
        new = docs.filled(old)
        if new == old:
            continue
        stale += 1
        if write:
            page.write_text(new, encoding="utf-8")
        sys.stdout.write(f"{'written' if write else 'out of date'}: {page.relative_to(docs.ROOT)}\n")
    return int(stale > 0 and not write)


if __name__ == "__main__":
    sys.exit(main())
