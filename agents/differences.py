"""What makes a run another one than the one that is in a folder already."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lse_gym.envs.errors import RunDirectoryError

FOLLOWS = {  # fact -> what changes it
    "data_sha256": ("env", "env_args"),
    "editor_revision": ("agent", "agent_args"),
    "agent_revision": ("agent",),
}


def changes(path: Path, there: Mapping[str, Any], now: Mapping[str, Any], resume: bool) -> bool:
    """Whether a run in a folder becomes another one, longer, of fewer questions or of other code of its agent.

    Raises:
        RunDirectoryError: it is of another configuration.
    """
    longer = resume and now.get("rounds", 0) > there.get("rounds", 0)
    fewer = resume and _differ_in_exclusions(there, now)  # each round is checked against the journal
    other_code = resume and there.get("agent_revision") != now.get("agent_revision")  # so is it then
    free = {"lse_gym", *(["rounds"] if longer else []), *(["data_sha256", "env_args"] if fewer else [])}
    free |= {"agent_revision"} if resume else set()
    different = differences(there, now, free)
    if different:
        goes_on = "" if resume else "--resume, without other options, to continue that run, or "
        caps = not differences(there, now, {*free, "budget"})
        again = " With other caps, what the response cache holds of that run is not paid again." if caps else ""
        raise RunDirectoryError(
            f"{str(path)!r} holds a run of another configuration ({'; '.join(different)}). "
            f"Pass {goes_on}another --out; nothing was changed.{again}"
        )
    return longer or fewer or other_code


def differences(there: Mapping[str, Any], now: Mapping[str, Any], free: Collection[str]) -> list[str]:
    """What differs between two configurations, by the name that a user knows it by."""
    names = [name for name in {**now, **there} if there.get(name) != now.get(name) and name not in free]
    told = []
    for name in (name for name in names if not {*FOLLOWS.get(name, ())} & {*names}):
        one, other = there.get(name), now.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            inner = [key for key in one | other if one.get(key) != other.get(key)]
            told += [f"{key}: {one.get(key)!r} there, {other.get(key)!r} now" for key in inner]
        elif name == "data_sha256":
            told.append("the questions or their answers have changed")
        else:
            told.append(f"{name}: {one!r} there, {other!r} now")
    return told


def _differ_in_exclusions(there: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two runs are the same but for the questions that are left out, by another file or the same one edited."""
    one, other = (config.get("env_args") or {} for config in (there, now))
    left_out = one.get("exclude") or other.get("exclude")
    return bool(left_out) and {**one, "exclude": None} == {**other, "exclude": None}
