"""Given texts under one model, each a branch of its own: nothing is drawn, all can be looked at."""

import threading
import time
from collections.abc import Generator
from functools import partial

import numpy as np
import numpy.typing as npt

from entropix_mlx.decoding.context import PromptContext
from entropix_mlx.decoding.decoder import Decoder
from entropix_mlx.decoding.inspect import inspect
from entropix_mlx.decoding.make_records import calibration_of, header_of
from entropix_mlx.decoding.score import score, windows
from entropix_mlx.records.inspection import Inspection
from entropix_mlx.records.lost import lost
from entropix_mlx.records.record import End, FinishReason, TurnRecord
from entropix_mlx.records.tree import ROOT, ids_of, shifted
from entropix_mlx.sampling.settings import Settings
from entropix_mlx.sampling.valleys import marked
from entropix_mlx.session.journal import UNSAVED, Journal, Storage
from entropix_models.errors import UsageError
from entropix_models.language_model import LanguageModel
from entropix_models.progress import Progress, quiet


class ScoreSession:
    """Belongs to the thread that made it, but for `stop`. Everything that is yielded has been
    written to `trace` before; `progress` counts tokens. `bos`: whether texts begin with the token
    for that, where the tokenizer adds one.
    """

    def __init__(
        self,
        model: LanguageModel,
        trace: Storage = UNSAVED,
        *,
        bos: bool = True,
        progress: Progress = quiet,
    ) -> None:
        self.model = model
        self.calibration = calibration_of(model)
        self.header = header_of(model, None, self.calibration, seed=None, date=None)
        self._bos = bos and model.tokenizer.adds_bos
        self._attends = trace.attention is not None
        self._journal = Journal(self.header, trace)
        self.tree = self._journal.tree
        self._progress = progress
        self._stopped = threading.Event()
        # For looking into a text only: what was read for one token is there for the next.
        decoder = Decoder(model, Settings.make("greedy"), self.calibration, seed=0)
        self._context = PromptContext(decoder)

    def stop(self) -> None:
        """End the text that is being scored; from any thread, at any time."""
        self._stopped.set()

    def close(self) -> None:
        """Nothing more will be scored."""
        self._journal.close()

    def score(self, text: str) -> Generator[TurnRecord]:
        """A text from the root: its tokens and valleys as they come, an `End` last.

        Raises UsageError, before anything is yielded or written, for a text without tokens; a later
        error is raised after an `End` that says so has been written.
        """
        self._stopped.clear()
        first, began = self._journal.index + 1, time.perf_counter()

        def attend(n: int, heads: npt.NDArray[np.float32]) -> None:
            self._journal.attend(first + n, heads)

        records = score(
            self.model,
            self.model.tokenizer.encode(text, special=True, bos=self._bos),
            self.calibration,
            partial(self._progress, "scoring", unit="tokens"),
            attend if self._attends else None,
        )
        reason: FinishReason = "error"
        self.tree.leaf = ROOT
        try:
            if places := self.model.tokenizer.lost(text):
                self._journal.tell(event := lost(ROOT, text, places))
                yield event
            for record in marked(records, self.calibration.valley_delta):
                told = shifted(record, first)
                self._journal.index = max(self._journal.index, first + record.index)
                self._journal.tell(told)
                yield told
                if self._stopped.is_set():
                    reason = "interrupted"
                    break
            else:
                reason = "stop"
        except (KeyboardInterrupt, GeneratorExit):
            reason = "interrupted"
            raise
        finally:
            end = End(
                leaf=self.tree.leaf,
                finish_reason=reason,
                tokens=self._journal.index + 1 - first,
                seconds=time.perf_counter() - began,
                prefill_seconds=0.0,
            )
            self._journal.tell(end)
        yield end

    def inspect(self, index: int) -> Inspection:
        """The distribution that the token at record `index` met, after what a window of the text
        held. Raises UsageError for a first token, which met none.
        """
        if index not in self.tree:
            raise UsageError(f"there is no record {index} in these texts")
        path = self.tree.path(self.tree.parent(index))
        if not path:
            raise UsageError("nothing came before a first token: it met no distribution")
        *_, (begin, _, _) = windows(len(path) + 1, self.model.info.context_length)
        path = path[begin:]
        ids = ids_of(path)
        self._context.go_to(ids)
        self._context.read(lambda _done, _total: True)
        return inspect(self.model, index, ids[-1], self._context.cache_of(ids[:-1]), path)
