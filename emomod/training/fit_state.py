"""Keep a training run on disk: tensors and JSON in one safetensors file, written whole or not at all."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from emomod.errors import InputError
from emomod.output import whole_file
from emomod.reading.json_files import parse_json

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class FitState:
    """Everything that a run needs to go on."""

    network: Tensors  # the weights as they are, of the network and what is trained with it
    best: Tensors  # the network's weights of the best round
    moments: Tensors  # the optimiser's state: "<parameter>.<name>"
    record: dict[str, Any]  # identity, round, schedule, table: JSON


def optimiser_moments(optimiser: torch.optim.Optimizer) -> Tensors:
    """The optimiser's tensors by the index of their parameter and their name."""
    state = optimiser.state_dict()["state"]
    return {f"{index}.{name}": tensor for index, entry in state.items() for name, tensor in entry.items()}


def restore_moments(optimiser: torch.optim.Optimizer, moments: Tensors) -> None:
    """Give the optimiser back what ``optimiser_moments`` took from it."""
    state: dict[int, Tensors] = {}
    for key, tensor in moments.items():
        index, name = key.split(".")
        state.setdefault(int(index), {})[name] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def save_state(path: Path, state: FitState) -> None:
    """Write ``state``."""
    groups = {"network": state.network, "best": state.best, "moments": state.moments}
    tensors = {
        f"{group}/{name}": tensor.detach().clone(memory_format=torch.contiguous_format)
        for group, members in groups.items()
        for name, tensor in members.items()
    }
    with whole_file(path) as partial:
        partial.write_bytes(save(tensors, metadata={"record": json.dumps(state.record)}))


def load_state(path: Path) -> FitState:
    """Read what ``save_state`` wrote; InputError when it is something else."""
    groups: dict[str, Tensors] = {"network": {}, "best": {}, "moments": {}}
    try:
        with safe_open(path, framework="pt") as stored:
            record = parse_json(stored.metadata()["record"])
            for key in stored.keys():  # noqa: SIM118 - not a mapping
                group, _, name = key.partition("/")
                groups[group][name] = stored.get_tensor(key)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is not the state of a training run ({error}); remove it to start anew") from None
    return FitState(groups["network"], groups["best"], groups["moments"], record)
