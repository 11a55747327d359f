"""Functions that tests call in boxes."""

COUNT = [0]


def echo(argument):
    return argument


def count(argument):
    COUNT[0] += 1
    return COUNT[0]


def run(source):
    """Run a program; its variable ``result`` is what it returns."""
    names = {"__name__": "__main__"}
    exec(compile(source, "program.py", "exec"), names)  # noqa: S102 - that is what boxes are for
    return names.get("result")


def prepare(argument):
    COUNT[0] = argument
