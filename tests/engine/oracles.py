"""Second implementations that several tests compare with."""

import math

import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    x = logits.astype(np.float64)
    return x - x.max() - math.log(np.exp(x - x.max()).sum())


def warped(
    logits: np.ndarray, temperature: float, min_p: float, top_k: int, top_p: float
) -> np.ndarray:
    """Probabilities after temperature, min-p, top-k and top-p, by transformers."""
    import torch
    from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    scores = torch.tensor(logits[None].astype(np.float32)) / temperature
    ids = torch.zeros((1, 1), dtype=torch.long)
    if min_p > 0:
        scores = MinPLogitsWarper(min_p)(ids, scores)
    if top_k > 0:
        scores = TopKLogitsWarper(top_k)(ids, scores)
    if top_p < 1:
        scores = TopPLogitsWarper(top_p)(ids, scores)
    return np.asarray(torch.softmax(scores.double(), dim=-1)[0].numpy())
