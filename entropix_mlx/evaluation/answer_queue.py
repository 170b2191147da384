"""A model in a thread of its own, which answers side by side those who wait."""

import atexit
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple

from entropix_mlx.evaluation.answered import Answered, Question, answered
from entropix_models.devices import release_thread
from entropix_models.errors import EntropixError
from entropix_models.language_model import LanguageModel

_MORE = 0.05
"""Seconds to wait for more questions that could be answered beside those that are there."""


class _Waiting(NamedTuple):
    question: Question
    future: "Future[Answered]"


class AnswerQueue:
    """Safe between threads. Questions that are there together share steps, `rows` at a time; those
    that come later are answered together after them.
    """

    def __init__(self, load: Callable[[], LanguageModel], rows: int) -> None:
        """`load` is called in the model's thread. Raises what it raises."""
        self._rows = rows
        self._waiting: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        loaded: Future[LanguageModel] = Future()
        self._thread = threading.Thread(target=self._work, args=(load, loaded), daemon=True)
        self._thread.start()
        self.model = loaded.result()
        """To know of, and for its tokenizer: what computes belongs to the thread."""
        atexit.register(self.close)

    def ask(self, question: Question) -> "Future[Answered]":
        """Its answer, in time. Whoever wants it no more cancels it, before it is begun."""
        waiting = _Waiting(question, Future())
        with self._lock:
            if self._closed:
                raise _gone()
            self._waiting.put(waiting)
        return waiting.future

    def close(self) -> None:
        """Break off what is being answered; whoever waits for it gets an EntropixError."""
        atexit.unregister(self.close)
        with self._lock:
            self._closed = True
            self._waiting.put(None)
        self._thread.join()

    def _work(self, load: Callable[[], LanguageModel], loaded: "Future[LanguageModel]") -> None:
        try:
            try:
                model = load()
            except BaseException as error:
                loaded.set_exception(error)
                return
            loaded.set_result(model)
            while not self._closed:
                self._answer(model, self._next())
        finally:
            release_thread()

    def _next(self) -> list[_Waiting]:
        """Those that are answered now, when there are any; or what is there when this is closed."""
        group: list[_Waiting] = []
        with suppress(Empty):
            while one := self._waiting.get(timeout=_MORE if group else None):
                if one.future.set_running_or_notify_cancel():
                    group.append(one)
        return group

    def _answer(self, model: LanguageModel, group: list[_Waiting]) -> None:
        questions = [one.question for one in group]
        error: Exception = _gone()
        try:
            for n, answer in answered(model, questions, self._rows, lambda: not self._closed):
                group[n].future.set_result(answer)
        except Exception as raised:
            error = raised
        for one in group:
            if not one.future.done():
                one.future.set_exception(error)


def _gone() -> EntropixError:
    return EntropixError("the model was closed before it answered: get it anew")
