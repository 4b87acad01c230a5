"""What a result came from: the versions of everything that it depends on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("emomod", "torch", "numpy", "scipy", "scikit-image", "soundfile", "soxr", "ncnn")


def package_version(name: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    return {"python": platform.python_version()} | {name: package_version(name) or "not installed" for name in PACKAGES}


def machine() -> str:
    """Return what the machine is, without its name: system, architecture, cores."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
