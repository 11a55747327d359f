"""Work in an office: how the writer learns the rules of a house, from what was called and what should be different."""

from lse_gym.envs.offline.reader.tools.rules import Known
from lse_gym.envs.offline.reader.tools.toolbox import read_toolbox
from lse_gym.envs.offline.writer.edit import Edit
from lse_gym.envs.offline.writer.prompt import Task
from lse_gym.envs.offline.writer.tools.book import Book
from lse_gym.envs.offline.writer.tools.induce import (
    teach,
    teach_confirmation,
    teach_dates,
    teach_guard,
    teach_pages,
    teach_units,
)
from lse_gym.envs.offline.writer.tools.lesson import read_lesson
from lse_gym.envs.offline.writer.tools.rounding import learn_rounding


def recognises(task: Task) -> bool:
    """Whether the tools of an office are shown."""
    return "<tools>\n" in task.frozen and read_toolbox(task.frozen) is not None


def edit(task: Task, seed: int) -> Edit:
    """Sentences that what is right follows from; what they contradict goes."""
    del seed
    box = read_toolbox(task.frozen)
    if box is None:
        return Edit(task.context)
    book = Book(task.context, Known.of(box))
    lessons = [lesson for problem in task.problems if (lesson := read_lesson(problem, box))]
    before = book.knowledge
    for sentence in [sentence for lesson in lessons for sentence in teach(lesson, box)]:
        book.add(sentence)
    for sentence in teach_dates(lessons):
        book.add(sentence)
    for lesson in lessons:
        for sentence in (
            *teach_confirmation(lesson, box, before),
            *teach_units(lesson, book.knowledge),
            *teach_guard(lesson, box, book),
            *teach_pages(lesson, before),
        ):
            book.add(sentence)
    learn_rounding(lessons, book)
    return Edit(book.render(task.max_chars), book.new, len(book.refunds))
