"""Names that both sides of the sandbox know: the files of a box, and the words of a verdict."""

INITIAL = "initial.db"  # as an attempt finds the database
WORK = "work.db"  # the copy that a service works on
LEFT = "left.db"  # that copy, with its journals, as a verifier's box gets it
FINAL = "final.db"  # what is in it
JOURNALS = ("", "-wal", "-journal")  # suffixes of the files of a database that somebody may have open
COMPLETE, OTHERS = "complete", "others"  # what a verifier says
