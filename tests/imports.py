"""What the commands import, but those of ``lse_gym.cli``: they read the width of the terminal. See tests/command.py."""

import contextlib
import importlib

from lse_gym.envs.registration import ENVS

for name in (
    """
    jinja2 jsonschema pydantic.type_adapter pydantic.json_schema sqlite_utils typer.main rich.progress
    lse_gym.envs.offline.reader lse_gym.envs.offline.writer lse_gym.envs.sql.envs lse_gym.envs.sql.procedural.family
    lse_gym.agents.run lse_gym.agents.bench.grid lse_gym.agents.bench.report lse_gym.agents.pictures lse_gym.agents.plan
    transformers.models.auto.modeling_auto transformers.models.llama.modeling_llama
    lse_gym.agents.lse.learner lse_gym.envs.models.huggingface
""".split()
    + [module for module, *_ in ENVS.values()]
):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
