"""Gymnasium environments whose actions are context edits and whose rewards are downstream improvements.

Importing this package registers the ids of the namespace ``LSE`` with Gymnasium and does nothing else.
"""

from lse_gym.envs.registration import register_all

__version__ = "0.1.0"

register_all()
