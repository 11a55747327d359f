"""What both sides of the sandbox know: the files of a box, the words of a verdict, the time."""

from datetime import UTC, datetime

INITIAL = "initial.db"  # as an attempt finds the database
WORK = "work.db"  # the copy that a service works on
LEFT = "left.db"  # that copy, with its journals, as a verifier's box gets it
FINAL = "final.db"  # what is in it
JOURNALS = ("", "-wal", "-journal")  # suffixes of the files of a database that somebody may have open
# When every attempt begins. Rows of AgentWorldModel are dated around its paper (arXiv 2602.10090), or count from now.
START = datetime(2026, 2, 20, 12, tzinfo=UTC)
COMPLETE, OTHERS = "complete", "others"  # what a verifier says
