"""The hill-climbing baseline: random edits, always of the best context so far."""

from lse_gym.agents.random_edit import RandomEditAgent


class HillClimbAgent(RandomEditAgent):
    """Keeps a random edit when the held-out score does not fall."""

    name = "hill-climb"
    selection = "best"
