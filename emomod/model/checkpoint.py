"""Save and load networks: one safetensors file that carries its own model card as JSON metadata.

The card says what the weights are: architecture, width, score names, front end, training data and figures. A file
whose card or weights do not fit this version of emomod is refused with the reason.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from emomod.audio import MIN_SECONDS
from emomod.checks import check_number
from emomod.errors import InputError
from emomod.model.mid_to_emotion import MidToEmotion
from emomod.model.network import ARCHITECTURES, EmotionNetwork
from emomod.spectrogram import FRONT_END

CARD_KEYS = ("name", "architecture", "width", "names", "front_end", "window_seconds", "training_data", "figures")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network with its card."""

    network: EmotionNetwork  # in evaluation mode, float32
    card: dict[str, Any]
    path: str
    sha256: str

    @property
    def mid_to_emotion(self) -> MidToEmotion | None:
        """The network's own linear layer from mid-level features to emotions; None for a one-level network."""
        layer = self.network.emotion
        if layer is None:
            return None
        weights, intercepts = (tensor.detach().cpu().double().numpy() for tensor in (layer.weight, layer.bias))
        return MidToEmotion(str(self.card.get("mid_to_emotion", self.card["name"])), weights, intercepts)


def default_checkpoint_path() -> Path:
    """Path of the checkpoint that ships with emomod."""
    return Path(str(files("emomod.model") / "weights" / "default.safetensors"))


def save_checkpoint(path: str | Path, network: EmotionNetwork, card: dict[str, Any]) -> Path:
    """Write ``network`` in half precision with ``card``; its architecture, width, names and front end are filled in."""
    full = card | {
        "architecture": network.architecture,
        "width": network.width,
        "names": list(network.names),
        "front_end": FRONT_END,
    }
    if missing := [key for key in CARD_KEYS if key not in full]:
        raise InputError(f"card must have {', '.join(CARD_KEYS)}; {', '.join(missing)} missing")
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    tensors = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    target, partial = Path(path), Path(f"{path}.partial")
    try:
        partial.write_bytes(save(tensors, metadata={"card": json.dumps(full)}))
        os.replace(partial, target)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
    return target


def load_checkpoint(path: str | Path | None = None) -> Checkpoint:
    """Load a checkpoint, by default the one that ships with emomod; InputError says what does not fit."""
    source = default_checkpoint_path() if path is None else Path(path)
    if not source.is_file():
        raise InputError(f"{source}: there is no such checkpoint")
    try:
        with safe_open(source, framework="pt") as stored:
            metadata = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{source}: is not a safetensors file ({error})") from None
    card = _read_card(source, metadata)
    network = EmotionNetwork(card["architecture"], width=card["width"])
    if list(network.names) != card["names"]:
        raise InputError(f"{source}: its scores must be {', '.join(network.names)}, got {card['names']!r}")
    _load_weights(source, network, tensors)
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    return Checkpoint(network.eval(), card, str(source), sha256)


def _read_card(source: Path, metadata: dict[str, str]) -> dict[str, Any]:
    if "card" not in metadata:
        raise InputError(f"{source}: carries no emomod card; write it with emomod.model.checkpoint.save_checkpoint")
    try:
        card: dict[str, Any] = json.loads(metadata["card"])
    except json.JSONDecodeError as error:
        raise InputError(f"{source}: its card is not JSON ({error})") from None
    if not isinstance(card, dict) or not isinstance(card.get("front_end", {}), dict):
        raise InputError(f"{source}: its card and the front end in it must be JSON objects")
    if missing := [key for key in CARD_KEYS if key not in card]:
        raise InputError(f"{source}: its card lacks {', '.join(missing)}")
    if card["architecture"] not in ARCHITECTURES:
        raise InputError(
            f"{source}: architecture must be one of {', '.join(ARCHITECTURES)}, got {card['architecture']!r}"
        )
    if card["front_end"] != FRONT_END:
        differing = [key for key in FRONT_END if card["front_end"].get(key) != FRONT_END[key]]
        raise InputError(f"{source}: was trained on another front end; {', '.join(differing) or 'extra keys'} differ")
    check_number(f"{source}: window_seconds", card["window_seconds"], low=MIN_SECONDS)
    return card


def _load_weights(source: Path, network: EmotionNetwork, tensors: dict[str, torch.Tensor]) -> None:
    wanted = network.state_dict()
    if absent := sorted(set(wanted) ^ set(tensors)):
        raise InputError(f"{source}: its weights are of another network; {absent[0]} is in one but not in both")
    for name, tensor in wanted.items():
        if tensor.shape != tensors[name].shape:
            shapes = f"{list(tensor.shape)}, got {list(tensors[name].shape)}"
            raise InputError(f"{source}: {name} must have shape {shapes} (a checkpoint of another shape)")
        if not torch.isfinite(tensors[name]).all():
            raise InputError(f"{source}: {name} must be finite, but holds NaN or infinity")
    network.load_state_dict({name: tensors[name].to(tensor.dtype) for name, tensor in wanted.items()})
