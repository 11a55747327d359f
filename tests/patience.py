"""How long a test waits beyond what it demands: a shared machine can stand still for seconds in the middle of it.

Where the product fails, these tests wait for a minute or for ever; the bound only has to tell that apart.
"""

STALL_S = 12.0
