"""How long a test waits beyond what it demands: a shared machine can stand still for seconds in the middle of it.

Where the product fails, these tests wait for a minute or for ever; the bound only has to tell that apart.
"""

import time
from collections.abc import Callable

STALL_S = 12.0
TRIES = 3


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor time that ``work`` takes, the least of three tries: the interpreter may tidy its memory in one."""
    taken = []
    for _ in range(TRIES):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)
