"""Multiple choice: how the writer explains gold letters, by rules in the fewest words.

A rule is looked for among all that a short sentence could say; what no example has ruled out yet may be wrong, so its
examples are kept in the context ("Q: … Answer: …") until only one rule is left. An exception is made only where no
single rule explains everything.
"""

from lse_gym.envs.offline.reader.choice.question import split_choices, understand
from lse_gym.envs.offline.writer.choice.book import Book, Concept, Lesson
from lse_gym.envs.offline.writer.choice.induce import learn
from lse_gym.envs.offline.writer.edit import Edit
from lse_gym.envs.offline.writer.prompt import Task


def recognises(task: Task) -> bool:
    """Whether any question has choices."""
    return any(split_choices(problem.question)[1] for problem in task.problems)


def edit(task: Task, seed: int) -> Edit:
    """Rules that explain the golds, and the examples of those that may still be others."""
    del seed
    book = Book(task.context)
    before = dict(book.rules)
    told = [*book.examples, *(problem for problem in task.problems if problem.gold)]
    asked = {p.question: (p, understood) for p in told if (understood := understand(p.question))}
    lessons = [Lesson(q, p.gold, p.explanation, a) for q, (p, a) in asked.items() if p.gold in a.choices]
    old = {problem.question for problem in book.examples}
    unsettled: set[Concept] = set()
    for _ in range(2):  # what one concept turned out to be may explain another
        wanted = learn(lessons, old, book, unsettled)
    kept = [lesson for index, lesson in enumerate(lessons) if index in wanted]
    return Edit(book.render(kept, task.max_chars), len({*book.rules.items()} - {*before.items()}), len(kept))
