"""What every page of ours is made by, so that it needs nothing else: no network, no other file.

A page's own style and program are named to the browser by their digests, and nothing else may run
or load. What else is known stands in it as data.
"""

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from entropix_mlx.export import style

if TYPE_CHECKING:
    import jinja2


@cache
def template(module: str, name: str) -> "jinja2.Template":
    """Of a file that lies beside a module: what is not marked as safe is escaped, on one line.

    `digest`, as a filter, is how a policy names an inline style or program.
    """
    import jinja2  # screens offer exports before they need it

    environment = jinja2.Environment(
        finalize=lambda value: value if hasattr(value, "__html__") else style.line(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["digest"] = _digest
    return environment.from_string(asset(module, name))


@cache
def asset(module: str, name: str) -> str:
    """The text of a file that lies beside a module."""
    return resources.files(module.rpartition(".")[0]).joinpath(name).read_text(encoding="utf-8")


def sheet(own: str) -> str:
    """The styles of all pages, with colours as variables (`var(--ink)`), then the page's own."""
    light, dark = (
        "".join(f"--{name}:{value};" for name, value in style.colours(theme).items())
        for theme in ("light", "dark")
    )
    return (
        f":root{{color-scheme:light;{light}}}"
        "@media(prefers-color-scheme:dark){"
        f":root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}\n{asset(__name__, 'base.css')}{own}"
    )


def program(own: str) -> str:
    """The button `theme` that changes light and dark, then the page's own."""
    return asset(__name__, "theme.js") + own


def data(value: object) -> str:
    """As JSON, for a script element of type `application/json`, which nothing in it can end."""
    encoded = msgspec.json.encode(value)
    for char in (b"<", b">", b"&"):  # they only occur in its strings
        encoded = encoded.replace(char, b"\\u%04x" % ord(char))
    return encoded.decode()


def _digest(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
