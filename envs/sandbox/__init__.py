"""Where foreign code runs: confined, bounded, and away from everything else."""

from lse_gym.envs.errors import SandboxError, SetupError
from lse_gym.envs.sandbox.forked import per_process
from lse_gym.envs.sandbox.limits import Limits, Result
from lse_gym.envs.sandbox.sandbox import Box, Sandbox, check

__all__ = ["Box", "Limits", "Result", "Sandbox", "SandboxError", "SetupError", "check", "per_process"]
