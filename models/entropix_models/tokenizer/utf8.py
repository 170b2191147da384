"""Bytes in, text out, a character at a time: tokens may end in the middle of one."""

import codecs


class Utf8Stream:
    """Incremental UTF-8 decoder; what is no UTF-8 becomes U+FFFD.

    The texts that `feed` gave, and `pending` decoded with errors="replace", are together exactly
    the decoding of all bytes at once.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> str:
        """The characters that `data` completes, possibly none."""
        return self._decoder.decode(data)

    def fork(self) -> "Utf8Stream":
        """Another stream that stands where this one does."""
        other = Utf8Stream()
        other._decoder.setstate(self._decoder.getstate())
        return other

    @property
    def pending(self) -> bytes:
        """Bytes of a character that is not complete yet: at most three."""
        return self._decoder.getstate()[0]
