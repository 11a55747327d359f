"""Wrappers of the core env: actions, observations, rewards and curricula. They know no task family."""

from lse_gym.wrappers.budget import EpisodeBudget
from lse_gym.wrappers.curriculum import Curriculum
from lse_gym.wrappers.features import TextFeatures
from lse_gym.wrappers.menu import EditMenu, Menu
from lse_gym.wrappers.misevolution import MisevolutionMonitor
from lse_gym.wrappers.operations import EditOperations, apply_operation
from lse_gym.wrappers.recording import RecordTrajectory
from lse_gym.wrappers.references import ReferencesNotRules
from lse_gym.wrappers.retention import Retention
from lse_gym.wrappers.rewards import Penalty, PostEditScore, PotentialReward, RollbackToBest
from lse_gym.wrappers.traits import TraitBasis

__all__ = [
    "EditOperations",
    "EditMenu",
    "Menu",
    "TextFeatures",
    "PostEditScore",
    "PotentialReward",
    "Penalty",
    "RollbackToBest",
    "EpisodeBudget",
    "Curriculum",
    "RecordTrajectory",
    "MisevolutionMonitor",
    "ReferencesNotRules",
    "Retention",
    "TraitBasis",
    "apply_operation",
]
