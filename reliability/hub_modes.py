"""The ways in which a mirror of the Hub can mean harm."""

import gzip
import json
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat

from hostile_hub import COMMIT, REPOSITORY, Ask, Mode, listed

EVIL = "evil-was-here"
UP = "../" * 4
"""From a blob of the cache to the folder that HF_HOME lies in."""

_DRIP_SECONDS = 0.3


def _drips(whole: Callable[[Ask], Iterable[bytes]]) -> Mode:
    """Byte by byte, each so late that nobody's patience ends with it."""

    def drip(ask: Ask) -> Iterator[bytes]:
        for piece in whole(ask):
            for byte in piece:
                yield bytes([byte])
                time.sleep(_DRIP_SECONDS)

    return drip


def _endless(first: Callable[[Ask], bytes], piece: bytes) -> Mode:
    return lambda ask: chain([first(ask)], repeat(piece))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _chunked(ask: Ask) -> bytes:
    """Headers of an answer that doesn't say how long it is."""
    ask.answer["Transfer-Encoding"] = "chunked"
    return ask.head(length=False)


def _body(body: bytes, **headers: str) -> Mode:
    def change(ask: Ask) -> None:
        ask.body = body
        ask.answer |= {name.replace("_", "-"): value for name, value in headers.items()}

    return change


def _bomb(ask: Ask) -> None:
    _body(gzip.compress(b"[" * (1 << 26)), Content_Encoding="gzip")(ask)


def _header(**headers: str) -> Mode:
    return lambda ask: _body(ask.body, **headers)(ask)


def _status(status: int, **headers: str) -> Mode:
    def change(ask: Ask) -> None:
        ask.status = status
        _body(b"", **headers)(ask)

    return change


def _info(**facts: object) -> Mode:
    return lambda ask: ask.json({"id": REPOSITORY, "sha": COMMIT, "siblings": []} | facts)


def _entries(**facts: object) -> Mode:
    return lambda ask: ask.json([entry | facts for entry in json.loads(ask.body)])


def _oids(oid: object) -> Mode:
    return _entries(oid=oid, lfs={"oid": oid, "size": 9, "pointerSize": 134})


def _more(*paths: str) -> Mode:
    return lambda ask: ask.json([*json.loads(ask.body), *(listed(path, b"evil") for path in paths)])


def _with(**files: bytes) -> Mode:
    """The JSON files of these stems have this content, in lists too."""

    def change(ask: Ask) -> None:
        ask.files |= {f"{stem.replace('__', '.')}.json": data for stem, data in files.items()}
        ask.honest()

    return change


def _next_page(where: str) -> Mode:
    def change(ask: Ask) -> None:
        ask.answer["Link"] = f'<{ask.url}{ask.path}?{where.format(ask.count)}>; rel="next"'

    return change


def _around(ask: Ask) -> None:
    _status(302, Location=ask.url + ask.path)(ask)


def _silence(_ask: Ask) -> Iterator[bytes]:
    time.sleep(60)
    yield b""


def _cuts_off(after: int) -> Mode:
    return lambda ask: (ask.head() + ask.body[:after],)


def _longer(ask: Ask) -> Iterable[bytes]:
    return (ask.head() + ask.body + b"evil" * 1_000,)


def _claims(length: str) -> Mode:
    return lambda ask: chain(
        [ask.head(length=False)[:-2] + f"Content-Length: {length}\r\n\r\n".encode()],
        repeat(b"evil" * 10_000, 100),
        _silence(ask),
    )


def _then_endless(mode: Mode) -> Mode:
    """The headers of `mode`, with a body without end."""
    return lambda ask: mode(ask) or chain([_chunked(ask)], repeat(_chunk(b"evil" * 9_000)))


_GARBAGE = bytes(range(256)) * 8
_OK = b"HTTP/1.1 200 OK\r\n"

EVERYWHERE: dict[str, Mode] = {
    "drips its status line and headers": _drips(lambda ask: [ask.head()]),
    "drips headers without end": _drips(lambda _: chain([_OK], repeat(b"A: b\r\n"))),
    "drips its body": lambda ask: chain([ask.head()], _drips(lambda ask: [ask.body])(ask) or ()),
    "is silent": _silence,
    "hangs up": lambda _: (),
    "speaks garbage": lambda _: (_GARBAGE,),
    "has headers without end": _endless(lambda _: _OK, b"A: b\r\n" * 1_000),
    "has a header line without end": _endless(lambda _: _OK + b"A: ", b"b" * 10_000),
    "says continue without end": _endless(lambda _: b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "has a body without end": _endless(_chunked, _chunk(b"[" * 60_000)),
    "has a chunk of absurd size": lambda ask: (_chunked(ask) + b"f" * 30 + b"\r\nevil",),
    "claims ten petabytes": _claims("10000000000000000"),
    "claims a length of 40 digits": _claims("9" * 40),
    "claims a negative length": _claims("-1"),
    "breaks off in its body": _cuts_off(3),
    "says more than it claimed": _longer,
    "packs a bomb": _bomb,
    "names an unknown packing": _header(Content_Encoding="evil"),
    "refuses with 429 and a day's wait": _status(429, Retry_After="86400"),
    "refuses with 429 and a window": _status(429, RateLimit='"api";r=0;t=86400'),
    "fails with 500": _status(500),
    "fails with 503 and a day's wait": _status(503, Retry_After="86400"),
    "fails with a status of its own": _status(999),
    "refuses with a body without end": _then_endless(_status(403)),
    "leads in circles": _around,
    "leads to a file": _status(302, Location="file:///etc/passwd"),
    "leads to a closed port": _status(302, Location="http://127.0.0.1:9/x"),
    "leads to no address": _status(302, Location="http://[::bad/\x1b]0;evil\x07"),
    "leads on with a body without end": _then_endless(_around),
    "steers the terminal in a status line": lambda _: (
        b"HTTP/1.1 500 \x1b]0;evil\x07\r\nX-Error-Message: \x1b[31mevil\r\n\r\n",
    ),
    "gives an error code of its own": _status(404, X_Error_Code="\x9b31m" + EVIL),
}
"""Whatever it is asked for."""

LISTS: dict[str, Mode] = {
    "says no JSON": _body(b"<html>It works!</html>"),
    "says half of its JSON": _body(b'[{"path": "config.js'),
    "says a number": _body(b"7"),
    "says null": _body(b"null"),
    "says null and more": _body(b"[null, {}, 7]"),
    "says deep JSON": _body(b"[" * 200_000),
    "says a number of many digits": _body(b"[" + b"9" * 9_000 + b"]"),
    "says no UTF-8": _body(b'{"id": "\xff\xfe"}'),
    "says a list of 12 MB": _body(b'[{"type": "file"}' + b',{"type": "file"}' * 700_000 + b"]"),
}

INFO: dict[str, Mode] = {
    "climbs with its revision": _info(sha="../../../../" + EVIL),
    "has an absolute revision": _info(sha="/tmp/" + EVIL),
    "has a revision that is a branch": _info(sha="main"),
    "has a revision with a line break": _info(sha=COMMIT + "\n"),
    "has a revision in capitals": _info(sha="A" * 40),
    "has an empty revision": _info(sha=""),
    "has no revision": _info(sha=None),
    "has a number for a revision": _info(sha=7),
    "has a list for a revision": _info(sha=[COMMIT]),
    "lists nonsense": _info(siblings=[None, 7, {}]),
    "dates it wrong": _info(createdAt="evil", lastModified=7),
    "is another repository": _info(id="../../evil"),
}

TREE: dict[str, Mode] = {
    "climbs with a blob's name": _oids(UP + EVIL),
    "climbs to its own snapshot": _oids("../snapshots/" + COMMIT + "/config.json"),
    "climbs to another revision": _oids("../snapshots/" + "f" * 40 + "/config.json"),
    "climbs to another model": _oids("../../models--other--model/refs/main"),
    "has an absolute blob's name": _oids("/tmp/" + EVIL),
    "names a file of this machine as a blob": _oids("/etc/passwd"),
    "names no blob": _oids(""),
    "names a folder as a blob": _oids(".."),
    "names a blob with zero bytes": _oids("evil\0evil"),
    "names a blob of 5,000 characters": _oids("e" * 5_000),
    "names a blob with a lone surrogate": _oids("\ud800"),
    "numbers its blobs": _oids(7),
    "climbs with a file's name": _more("model/../../" + UP + EVIL + ".safetensors"),
    "climbs to a sibling snapshot": _more("model/../../" + "f" * 40 + "/model.safetensors"),
    "has an absolute file's name": _more("/tmp/" + EVIL + "/model.safetensors", "/config.json"),
    "has zero bytes in a file's name": _more("model\0.safetensors"),
    "steers the terminal with a file's name": _more("model\x1b]0;evil\x07.safetensors"),
    "has a file's name of 5,000 characters": _more("model" + "e" * 5_000 + ".safetensors"),
    "has a file in a file": _more("model.safetensors/model.safetensors", "model.safetensors"),
    "lists files that it lacks": _more("model-2.safetensors"),
    "lists nothing": _body(b"[]"),
    "lists 20,000 files": _more(*(f"model-{n}.safetensors" for n in range(20_000))),
    "has negative sizes": _entries(size=-1),
    "has sizes of 30 digits": _entries(size=10**30),
    "has sizes in words": _entries(size="many"),
    "has types of its own": _entries(type="evil"),
    "has pages without end": _next_page("cursor={}"),
    "has a page that follows itself": _next_page("again"),
    "has a next page elsewhere": lambda ask: ask.answer.update(
        Link='<file:///etc/passwd>; rel="next"'
    ),
}

FILE: dict[str, Mode] = {
    "climbs with its ETag": _header(ETag=f'"{UP}{EVIL}"', X_Linked_Etag=f'"{UP}{EVIL}"'),
    "climbs with its commit": _header(X_Repo_Commit="../../../../" + EVIL),
    "has another commit": _header(X_Repo_Commit="f" * 40),
    "has a linked size of 30 digits": _header(X_Linked_Size=str(10**30)),
    "sends a part nobody asked for": _status(206, Content_Range="bytes 0-1/2"),
    "gives another content": _body(b"{}"),
    "breaks off after a byte, each time": _cuts_off(1),
    "asks for xet": _header(
        X_Xet_Hash="0" * 64, X_Xet_Refresh_Route="/evil", Link='</evil>; rel="xet-auth"'
    ),
}

CONTENTS: dict[str, Mode] = {
    "an index of deep JSON": _with(model__safetensors__index=b"[" * 100_000),
    "an index that climbs": _with(
        model__safetensors__index=b'{"weight_map": {"a": "../../../../etc/passwd"}}'
    ),
    "an index of wrong types": _with(model__safetensors__index=b'{"weight_map": {"a": [1]}}'),
    "an index of 40 MB": _with(model__safetensors__index=b'{"a": "' + b"b" * 40_000_000 + b'"}'),
    "a configuration of deep JSON": _with(config=b"[" * 100_000),
    "a configuration that is none": _with(config=b"7"),
    "a configuration of 40 MB": _with(config=b'{"a": "' + b"b" * 40_000_000 + b'"}'),
    "a configuration that steers the terminal": _with(
        config=b'{"model_type": "\\u001b]0;evil\\u0007", "torch_dtype": "\\u001b[31m\\ud800"}'
    ),
}

MODES: dict[str, tuple[str, Mode]] = {
    f"{kind}: {name}": (kind, mode)
    for kind, modes in (
        ("info", {**INFO, **LISTS, **EVERYWHERE, "is honest": lambda _: None}),
        ("tree", {**TREE, **LISTS, **EVERYWHERE}),
        ("file", {**FILE, **EVERYWHERE}),
        ("any", CONTENTS),
    )
    for name, mode in modes.items()
}
"""By name: what kind of question is answered so, and how."""
