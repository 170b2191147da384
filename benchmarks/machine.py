"""One line on what a figure was measured with."""

import platform
from importlib.metadata import version

from entropix_models.language_model import LanguageModel


def describe(model: LanguageModel) -> str:
    """Model, device and versions."""
    info = model.info
    packages = ", ".join(f"{name} {version(name)}" for name in ("mlx", "mlx-lm"))
    return (
        f"{info.name} ({info.dtype}) on {model.device.description}; "
        f"{_processor()}, {platform.system()} {platform.machine()}; {packages}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
        return names[0] if names else platform.processor()
    except OSError:
        return platform.processor()
