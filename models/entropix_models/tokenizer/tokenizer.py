"""Text to ids and ids to bytes, from the `tokenizer.json` of a model folder."""

import copy
import datetime
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

import tokenizers
from tokenizers.pre_tokenizers import PreTokenizer

from entropix_models.errors import (
    DamagedFileError,
    EntropixError,
    UnsupportedError,
    UsageError,
    one_line,
)
from entropix_models.tokenizer.chat_template import ChatTemplate, Message
from entropix_models.tokenizer.marks import marks_of
from entropix_models.tokenizer.tokenizer_files import TokenizerFiles, read_tokenizer_files
from entropix_models.tokenizer.vocabulary import token_bytes_table

__all__ = ["Message", "Tokenizer"]

TURN_ENDS = ("<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end_of_text|>")
"""Special tokens that end a turn or a text wherever a chat model has them."""

_MARKUP = re.compile(r"<\|[^<>|]+\|>")
"""Tokens of this form steer a chat, also where a folder forgets to mark them as special."""

_PRIVATE_USE = range(0xF0000, 0x10FFFE)
"""Code points without meaning, for which a text always has some that it does not use."""


class Tokenizer:
    """The tokenizer of one model: byte-level BPE, or BPE over SentencePiece's alphabet.

    `vocab_size` counts ids up to the greatest (logits may be padded beyond it). `adds_bos`: whether
    the model's own tokenizer begins texts with the beginning-of-sequence token. `bos_id` and
    `eos_id` are what the folder calls the tokens that begin and end a text; `stop_ids` end an
    answer. `special_ids` are the tokens that typed text never becomes. Safe between threads.
    """

    def __init__(self, inner: tokenizers.Tokenizer, files: TokenizerFiles) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._name = files.folder
        added = inner.get_added_tokens_decoder()
        self._control = {
            id: token
            for id, token in added.items()
            if token.special or _MARKUP.fullmatch(token.content)
        }
        if self._control:
            inner.add_special_tokens(list(self._control.values()))
        self._bytes = token_bytes_table(inner, files.folder)
        self._texts: dict[int, str] = {}
        self.vocab_size = len(self._bytes)
        self.special_ids = frozenset(self._control)
        self._control_ids = {token.content: id for id, token in self._control.items()}
        longest_first = sorted(self._control_ids, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

        texts = files.special_texts
        self.bos_id = self._id_of(texts.get("bos_token"))
        self._bos_by_default = files.add_bos
        self._template: ChatTemplate | None = None
        self.has_chat_template = files.chat_template is not None
        self.eos_id = self._id_of(texts.get("eos_token"))
        stops = {self.eos_id, *files.eos_ids}
        if files.chat_template is not None:
            name = f"the chat template of {files.folder}"
            self._template = ChatTemplate(files.chat_template, name, texts)
            stops.update(self._control_ids.get(text) for text in TURN_ENDS)
        self.stop_ids = frozenset(
            id for id in stops if id is not None and 0 <= id < self.vocab_size
        )
        self._first_scheme, self._middle_scheme = _prefix_schemes(inner)
        self._sayable = set(" \t\n\r")  # of these a scheme may drop one, at a text's edge

    @classmethod
    def from_folder(cls, path: Path) -> "Tokenizer":
        """Read `tokenizer.json`, `tokenizer_config.json` and what goes with them.

        Raises DamagedFileError for files that are missing, truncated or hostile, UnsupportedError
        for kinds of tokenizer that give no exact bytes.
        """
        files = read_tokenizer_files(path)
        with _library_errors(path):
            inner = tokenizers.Tokenizer.from_buffer(files.tokenizer)
            inner.no_truncation()
            inner.no_padding()
            return cls(inner, files)

    @property
    def template_prints_date(self) -> bool:
        """Whether the ids of a conversation depend on the date."""
        return self._template is not None and self._template.prints_date

    @cached_property
    def adds_bos(self) -> bool:
        if self.bos_id is None:
            return False
        if self._bos_by_default is not None:
            return self._bos_by_default
        with self._lock, _library_errors(self._name):
            return self._inner.encode("a").ids[:1] == [self.bos_id]

    @cached_property
    def marks(self) -> bytes:
        """What each id says of words and sentences, see `marks_of`."""
        return marks_of(self._bytes, self.special_ids, self.stop_ids)

    @cached_property
    def turn_end(self) -> int | None:
        """The id of `stop_ids` that ends an answer as the template does; any without one."""
        ids: list[int] = []
        if self._template is not None:
            messages: list[Message] = [
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": "x"},
            ]
            with suppress(UsageError, DamagedFileError):
                ids = self.chat(messages, date=datetime.date.min, answer=False)
        return next(
            (id for id in reversed(ids) if id in self.stop_ids), min(self.stop_ids, default=None)
        )

    def encode(self, text: str, *, special: bool = False, bos: bool = False) -> list[int]:
        """The ids of `text`.

        With `special`, special tokens written in the text are recognised; otherwise they are
        text. With `bos`, the beginning-of-sequence token comes first, if the model has one, and
        never twice. Raises UsageError for text that is no Unicode (lone surrogates).
        """
        ids = self._encode(text, special=special, first=True)
        if bos and self.bos_id is not None and ids[:1] != [self.bos_id]:
            ids.insert(0, self.bos_id)
        return ids

    def lost(self, text: str) -> list[int]:
        """Where in `text` the characters are that there are no tokens for: `encode` leaves them
        out, or has the token for what is unknown.
        """
        strange = set(text) - self._sayable
        unsayable = {char for char in strange if not self._says(char)}
        self._sayable |= strange - unsayable
        return [n for n, char in enumerate(text) if char in unsayable] if unsayable else []

    def _says(self, char: str) -> bool:
        ids = self._encode(char, special=False, first=False)
        try:
            said = b"".join(map(self.token_bytes, ids)).decode()
        except UnicodeDecodeError:  # some of its bytes have tokens
            return False
        return said != "" and self._id_of(self._inner.model.unk_token) not in ids

    def token_bytes(self, id: int) -> bytes:
        """The bytes that this token stands for: a special token's literal text, b"" for padding."""
        return self._bytes[id] if 0 <= id < self.vocab_size else b""

    def token_text(self, id: int) -> str:
        """The token alone as text, U+FFFD where it holds a part of a character: the same string
        each time, which ten candidates of every token keep.
        """
        if (text := self._texts.get(id)) is None:
            text = self._texts[id] = self.token_bytes(id).decode("utf-8", "replace")
        return text

    def chat(
        self, messages: Sequence[Message], *, date: datetime.date, answer: bool = True
    ) -> list[int]:
        """The ids of a conversation; with `answer`, up to where the assistant's answer begins.

        Special tokens are those that the template writes: in a message they are plain text.
        Raises UsageError where the model has no template, or its template refuses the messages.
        """
        masked, restore = self._mask(messages)
        rendered = self._rendered(masked, date, answer)
        return [id for ids, _ in self._stretches(rendered, 0, restore) for id in ids]

    def rendered(self, messages: Sequence[Message], *, date: datetime.date) -> str:
        """A conversation up to where the assistant's answer begins, as the template writes it.

        Nothing tells the special tokens of the template from those that a message spells. Raises as
        `chat`.
        """
        return self._rendered(messages, date, True)

    def next_turn(
        self, messages: Sequence[Message], *, date: datetime.date, after: Sequence[int]
    ) -> list[int]:
        """The ids that lead from the end of an answer to the beginning of the next one.

        `messages` end with the answer and the new user message, `after` is the context so far.
        A turn-end that closes the context already is not repeated.
        """
        if len(messages) < 2 or messages[-2]["role"] != "assistant":
            raise ValueError("the last message but one must be the assistant's answer")
        masked, restore = self._mask(messages)
        used = {*restore, *map(ord, "".join(message["content"] for message in masked))}
        marker = chr(next(point for point in _PRIVATE_USE if point not in used))
        masked[-2] = {"role": "assistant", "content": marker}
        rendered = self._rendered(masked, date, True)
        at = rendered.rfind(marker)
        if at < 0:
            raise UnsupportedError(
                f"the chat template of {self._name} leaves the last answer out: "
                "start a new conversation for every question"
            )
        ids: list[int] = []
        closed = after[-1] if after and after[-1] in self.special_ids | self.stop_ids else None
        for stretch, is_control in self._stretches(rendered, at + 1, restore):
            if closed is not None and is_control:
                if stretch == [closed] and not b"".join(map(self.token_bytes, ids)).strip():
                    ids, stretch = [], []
                closed = None
            ids += stretch
        return ids

    def _encode(self, text: str, *, special: bool, first: bool) -> list[int]:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise no_unicode() from error
        with self._lock, _library_errors(self._name):
            self._inner.encode_special_tokens = not special
            if self._middle_scheme is not None:
                self._inner.pre_tokenizer = self._first_scheme if first else self._middle_scheme
            return self._inner.encode(text, add_special_tokens=False).ids

    def _rendered(self, messages: Sequence[Message], date: datetime.date, answer: bool) -> str:
        if self._template is None:
            raise UsageError(
                f"{self._name} has no chat template: use --raw, or a model made for conversations"
            )
        return self._template.render(messages, date=date, answer=answer)

    def _mask(self, messages: Sequence[Message]) -> tuple[list[Message], dict[int, str]]:
        """The messages with one unused code point for every special token that they spell.

        Contents are otherwise left alone, because templates trim, split and look into them.
        """
        used = set(map(ord, "".join(message["content"] for message in messages)))
        free: Iterator[int] = (point for point in _PRIVATE_USE if point not in used)
        points: dict[str, int] = {}

        def replace(match: re.Match[str]) -> str:
            if match[0] not in points:
                points[match[0]] = next(free)
            return chr(points[match[0]])

        masked: list[Message] = [
            {"role": message["role"], "content": self._pattern.sub(replace, message["content"])}
            for message in messages
        ]
        return masked, {point: text for text, point in points.items()}

    def _stretches(
        self, rendered: str, start: int, restore: dict[int, str]
    ) -> Iterator[tuple[list[int], bool]]:
        """Ids of the special tokens (True) and of the plain text between them (False), in order."""
        for id, begin, end in (*self._control_spans(rendered, start), (None, len(rendered), 0)):
            if begin > start:
                plain = rendered[start:begin].translate(restore)
                yield self._encode(plain, special=False, first=start == 0), False
            if id is not None:
                yield [id], True
            start = end

    def _control_spans(self, text: str, start: int) -> Iterator[tuple[int, int, int]]:
        """`(id, begin, end)` of the special tokens in a text, found as the library finds them.

        A token may want to stand alone, or swallow the white space around it.
        """
        for match in self._pattern.finditer(text, start):
            id = self._control_ids[match[0]]
            token, (begin, end) = self._control[id], match.span()
            around = text[max(begin - 1, 0) : begin] + " " + text[end : end + 1]
            if token.single_word and re.search(r"\w", around):
                continue
            while token.lstrip and begin > start and text[begin - 1].isspace():
                begin -= 1
            while token.rstrip and end < len(text) and text[end].isspace():
                end += 1
            yield id, begin, end
            start = end

    def _id_of(self, text: str | None) -> int | None:
        return None if text is None else self._inner.token_to_id(text)


def no_unicode() -> UsageError:
    return UsageError("the text holds half of a surrogate pair, which is no Unicode: remove it")


@contextmanager
def _library_errors(folder: Path) -> Iterator[None]:
    """Whatever the library makes of a file by strangers, as one line; its panics are no Exception.

    It raises nothing finer.
    """
    try:
        yield
    except (EntropixError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        raise DamagedFileError(
            f"{folder / 'tokenizer.json'} is damaged: {one_line(error)}; fetch the model again"
        ) from error


def _prefix_schemes(
    inner: tokenizers.Tokenizer,
) -> tuple[PreTokenizer | None, PreTokenizer | None]:
    """The pre-tokenizer as it is, and the one for text that is not at the beginning.

    SentencePiece's scheme "first" puts a space before a text but not before its later stretches.
    """
    first = inner.pre_tokenizer
    if first is None:
        return None, None
    state = first.__getstate__()
    if b'"prepend_scheme":"first"' not in state:
        return None, None
    middle = copy.deepcopy(first)
    middle.__setstate__(state.replace(b'"prepend_scheme":"first"', b'"prepend_scheme":"never"'))
    return first, middle
