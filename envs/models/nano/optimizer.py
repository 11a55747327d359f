"""The optimizer of ``nano``'s training."""

from lse_gym.envs.extras import needs

with needs("hf", "Training nano"):
    import torch
    from torch import nn

PEAK_ADAM, PEAK_MUON = 5e-3, 2e-2


class Optimizer:
    """Muon for the matrices and AdamW for the rest, on float32 copies of the weights."""

    def __init__(self, model: nn.Module):
        self.live = list(model.parameters())
        self.master = [p.detach().float().clone().requires_grad_() for p in self.live]
        hidden = [p.ndim == 2 and "embed" not in name for name, p in model.named_parameters()]
        matrices = [p for p, h in zip(self.master, hidden, strict=True) if h]
        others = [p for p, h in zip(self.master, hidden, strict=True) if not h]
        self.parts = [
            torch.optim.Muon(matrices, lr=PEAK_MUON, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=PEAK_ADAM, betas=(0.9, 0.95), weight_decay=0.0),
        ]

    def step(self, scale: float) -> None:
        """Apply the gradients at a share of the peak learning rates, and clear them."""
        for copy, p in zip(self.master, self.live, strict=True):
            copy.grad = p.grad.float() if p.grad is not None else None
            p.grad = None
        nn.utils.clip_grad_norm_(self.master, 1.0)
        for part, peak in zip(self.parts, (PEAK_MUON, PEAK_ADAM), strict=True):
            part.param_groups[0]["lr"] = peak * scale
            part.step()
        with torch.no_grad():
            for copy, p in zip(self.master, self.live, strict=True):
                p.copy_(copy)

    def state(self) -> list:
        """Everything needed to continue."""
        return [[p.detach() for p in self.master], *(part.state_dict() for part in self.parts)]

    def restore(self, state: list) -> None:
        """Continue from :meth:`state`."""
        with torch.no_grad():
            for copy, p, kept in zip(self.master, self.live, state[0], strict=True):
                copy.copy_(kept)
                p.copy_(kept)
        for part, kept in zip(self.parts, state[1:], strict=True):
            part.load_state_dict(kept)
