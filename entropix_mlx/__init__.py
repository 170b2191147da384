"""entropix-mlx: entropy-aware decoding on MLX.

    import entropix_mlx as ex
    model = ex.load("smollm2-135m")
    for token in ex.generate(model, "Write the larger number: 9.9 or 9.11", seed=7):
        print(token.text, token.entropy, token.quadrant)

Names are imported when they are first used: `import entropix_mlx` loads neither MLX nor
transformers.
"""

import importlib
from typing import Any

_HOMES = {
    "EntropixSampler": "entropix_mlx.api",
    "generate": "entropix_mlx.api",
    "generate_batch": "entropix_mlx.api",
    "load": "entropix_mlx.api",
    "score": "entropix_mlx.api",
    "EntropixError": "entropix_models.errors",
    "End": "entropix_mlx.records.record",
    "Event": "entropix_mlx.records.record",
    "PromptRecord": "entropix_mlx.records.record",
    "Run": "entropix_mlx.run",
    "RunHeader": "entropix_mlx.records.record",
    "TokenRecord": "entropix_mlx.records.record",
    "Session": "entropix_mlx.session.session",
    "Settings": "entropix_mlx.sampling.settings",
    "Storage": "entropix_mlx.session.journal",
    "TraceWriter": "entropix_mlx.trace.trace",
    "TurnRequest": "entropix_mlx.session.request",
    "read_trace": "entropix_mlx.trace.trace",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
