"""Maps the folders at the root onto the import package ``lse_gym``; everything else is in pyproject.toml."""

from setuptools import find_namespace_packages, setup

TREES = ("envs", "agents", "wrappers", "leaderboard")
DATA = ["leaderboard.results*", "leaderboard.board*"]  # recorded results and the board with them

setup(
    package_dir={"lse_gym": "lse_gym"} | {f"lse_gym.{tree}": tree for tree in TREES},
    packages=["lse_gym", "lse_gym.cli", "lse_gym.docs"]
    + [
        f"lse_gym.{name}"
        for tree in TREES
        for name in find_namespace_packages(include=[tree, f"{tree}.*"], exclude=DATA)
    ],
)
