import pytest


@pytest.fixture(scope="session")
def editor(tmp_path_factory):
    """The folder of an untrained model of two small layers. Needs `hf`."""
    import torch

    from lse_gym.envs.models.nano.data import draw_sample
    from lse_gym.envs.models.nano.tokenizer import train_tokenizer
    from lse_gym.envs.models.nano.train import make_model

    samples = [draw_sample((3, i), 4) for i in range(30)]
    tokenizer = train_tokenizer(text for s in samples for text in (s.system, *(t for turn in s.turns for t in turn)))
    folder = tmp_path_factory.mktemp("editor")
    torch.manual_seed(0)
    make_model(tokenizer, width=32, layers=2).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
