"""What emomod finds of the machine itself: its GPU, a browser, room on its disks, shared memory."""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from emomod.finding import Finding

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "firefox", "firefox-esr")
APPLICATIONS = ("Chromium", "Google Chrome", "Firefox", "Safari")  # of macOS
SHARED = Path("/dev/shm")
GB = 1e9
MUST_GB = 0.2  # of free disk: a run writes 7 MB, all windows of an hour 2.4 GB
SHOULD_GB = 3.0
SHARED_GB = 0.2  # containers have 0.064 unless they are told another size
LARGER = "start the container with more, such as --shm-size=1g"
ASK_DRIVER = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")


def gpu() -> Finding:
    """The NVIDIA GPUs as torch sees them and, where torch sees none, as their driver does."""
    try:
        torch = import_module("torch")
    except Exception:  # torch has a finding of its own, which says why
        return Finding("gpu", "info", "unknown without torch")
    seen = _driver_says()
    if torch.cuda.is_available():
        names = [_described(torch.cuda.get_device_properties(k)) for k in range(torch.cuda.device_count())]
        driver = f", driver {seen[0].rpartition(', ')[2]}" if seen else ""
        return Finding("gpu", "ok", f"{'; '.join(names)}{driver}, torch built for CUDA {torch.version.cuda}")
    if seen and not torch.version.cuda:
        detail = f"{'; '.join(seen)}, which this torch, built without CUDA, cannot use; it works on the CPU"
        return Finding("gpu", "missing", detail, "install torch with CUDA: pip's ordinary index has it for Linux")
    if seen:
        detail = f"{'; '.join(seen)}, which torch, built for CUDA {torch.version.cuda}, cannot use; it works on the CPU"
        return Finding("gpu", "missing", detail, "install a driver that is new enough for that CUDA")
    return Finding("gpu", "info", "no NVIDIA GPU; everything works on the CPU")


def _described(properties: object) -> str:
    """Name and memory of a GPU."""
    return f"{getattr(properties, 'name', 'GPU')}, {getattr(properties, 'total_memory', 0) / GB:.0f} GB"


def _driver_says() -> list[str]:
    """Name, memory and driver of each GPU; none where there is no driver, or it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        answer = subprocess.run([program, *ASK_DRIVER], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()] if answer.returncode == 0 else []


def browser() -> Finding:
    """A browser, for reports and studies; any other on any other machine does as well."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None and sys.platform == "darwin":
        places = (Path("/Applications") / f"{name}.app" for name in APPLICATIONS)
        found = next((str(place) for place in places if place.exists()), None)
    if found is None:
        return Finding("browser", "info", "none was found here; reports open on any other machine, too")
    return Finding("browser", "ok", f"{found}, to look at reports and studies")


def disk() -> Finding:
    """Room in the working folder."""
    return _room("disk", Path.cwd(), "free some, or work in another folder")


def temporary_folder() -> Finding:
    """Room where temporary files go."""
    return _room("temporary folder", Path(tempfile.gettempdir()), "free some, or name another folder by TMPDIR")


def _room(name: str, folder: Path, cure: str) -> Finding:
    """Whether a folder can be written and has room."""
    free = shutil.disk_usage(folder).free / GB
    detail = f"{free:.1f} GB free in {folder}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(name, "info", f"{folder} cannot be written")
    if free < MUST_GB:
        return Finding(name, "problem", detail, cure)
    return Finding(name, "ok" if free >= SHOULD_GB else "info", detail, None if free >= SHOULD_GB else cure)


def shared_memory() -> Finding:
    """Memory that processes share, of which a container may have little."""
    if not SHARED.is_dir():
        return Finding("shared memory", "info", "not a folder of this system")
    size = shutil.disk_usage(SHARED).total / GB
    if size < SHARED_GB:
        detail = f"{size:.3f} GB, little for many processes"
        return Finding("shared memory", "info", detail, LARGER)
    return Finding("shared memory", "ok", f"{size:.1f} GB")
