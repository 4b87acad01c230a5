"""Save and load networks: one safetensors file that carries its own model card as JSON metadata.

The card says what the weights are: architecture, width, score names, front end, training data and figures. A file
whose card or weights do not fit this version of emomod is refused with the reason, and what it claims is compared with
what is there before memory is taken for it.
"""

import json
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from emomod.audio import file_sha256
from emomod.errors import InputError
from emomod.model.checkpoint_card import CARD_KEYS, read_checkpoint_card
from emomod.model.mid_to_emotion import MidToEmotion
from emomod.model.network import EmotionNetwork
from emomod.spectrogram import FRONT_END

MOST_HEADER = 1 << 20  # bytes of names, shapes and card; ours have 10 kB
FLOATS = ("F16", "BF16", "F32", "F64")  # how a file may store weights


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
        _check_header(source)
        with safe_open(source, framework="pt") as stored:
            card = read_checkpoint_card(source, stored.metadata() or {})
            _check_shapes(source, stored, card)
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{source}: is not a safetensors file ({error})") from None
    network = EmotionNetwork(card["architecture"], width=card["width"])
    _load_weights(source, network, tensors)
    return Checkpoint(network.eval(), card, str(source), file_sha256(source))


def _check_header(source: Path) -> None:
    """Refuse a header that is too long before it is read."""
    with source.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MOST_HEADER:
        raise InputError(f"{source}: is not a safetensors file (its header claims {length} bytes)")


def _check_shapes(source: Path, stored: Any, card: dict[str, Any]) -> None:
    """Refuse names, types and shapes of weights that are not the network's, which needs no memory for that."""
    with torch.device("meta"):
        network = EmotionNetwork(card["architecture"], width=card["width"])
    if list(network.names) != card["names"]:
        raise InputError(f"{source}: its scores must be {', '.join(network.names)}, got {card['names']!r}")
    wanted = network.state_dict()
    if absent := sorted(set(wanted) ^ set(stored.keys())):
        raise InputError(f"{source}: its weights are of another network; {absent[0]} is in one but not in both")
    for name, tensor in wanted.items():
        found = stored.get_slice(name)
        if list(tensor.shape) != found.get_shape():
            shapes = f"{list(tensor.shape)}, got {found.get_shape()}"
            raise InputError(f"{source}: {name} must have shape {shapes} (a checkpoint of another shape)")
        types = FLOATS if tensor.is_floating_point() else ("I64",)
        if found.get_dtype() not in types:
            raise InputError(f"{source}: {name} must be of type {' or '.join(types)}, got {found.get_dtype()}")


def _load_weights(source: Path, network: EmotionNetwork, tensors: dict[str, torch.Tensor]) -> None:
    weights = {name: tensors[name].to(tensor.dtype) for name, tensor in network.state_dict().items()}
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{source}: {name} must be finite, but holds NaN or infinity")
    network.load_state_dict(weights)
