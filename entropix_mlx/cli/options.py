"""Options that several commands share, checked before anything heavy is imported."""

import datetime
import functools
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from entropix_mlx.cli.say import tell
from entropix_mlx.sampling import own
from entropix_mlx.sampling.calibration import PROVISIONAL, Calibration
from entropix_mlx.sampling.settings import Settings, declared
from entropix_models.errors import UsageError
from entropix_models.progress import Progress, quiet

if TYPE_CHECKING:
    from entropix_mlx.session.answers import Answers
    from entropix_mlx.session.session import Session
    from entropix_mlx.trace.attention_file import AttentionWriter
    from entropix_mlx.trace.trace import TraceWriter
    from entropix_models.language_model import LanguageModel

Writers = tuple["TraceWriter | None", "AttentionWriter | None"]
Command = TypeVar("Command", bound=Callable[..., Any])

_LARGEST_SEED = 2**63 - 1


def _together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one, in this order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


class _Size(click.ParamType[int]):
    """Bytes, as people write them: 4GB, 512MB, 1.5GiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?([MGT])(i?)B?", value, re.ASCII | re.I)
        size = 0
        if found:
            number, unit, binary = found.groups()
            power = "MGT".index(unit.upper()) + 2
            size = int(float(number) * (1024 if binary else 1000) ** power)
        if not size:
            self.fail(f"{value!r} is no size: give one like 4GB or 512MB", param, ctx)
        return size


def _compile_nothing(_ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    if asked:
        from entropix_models import devices

        devices.compile_nothing()


def _limit_memory(_ctx: click.Context, _param: click.Parameter, size: int | None) -> None:
    if size is not None:
        from entropix_models import devices

        devices.limit_memory(size)


device_options = _together(
    click.option(
        "--device",
        type=click.Choice(("auto", "metal", "cuda", "cpu")),
        default="auto",
        help="Where to compute. auto: on a GPU if there is one.",
    ),
    # Both act on the whole process, before a device is chosen.
    click.option(
        "--no-compile",
        is_flag=True,
        expose_value=False,
        callback=_compile_nothing,
        help="Compile nothing: the same tokens, more slowly. On a CPU nothing is compiled.",
    ),
    click.option(
        "--memory-limit",
        type=_Size(),
        expose_value=False,
        callback=_limit_memory,
        metavar="SIZE",
        help="Free memory that MLX keeps for later, and on Metal what it keeps resident: no more "
        "than this (4GB).",
    ),
)

model_options = _together(
    click.option(
        "--model",
        metavar="NAME|PATH",
        help="A catalogue name, a folder or a Hub id. Default: llama-3.2-1b on a GPU, "
        "smollm2-135m on a CPU.",
    ),
    device_options,
)

trace_options = _together(
    click.option(
        "--trace",
        # A path that cannot be written is no wrong usage, so that click checks nothing.
        type=click.Path(path_type=Path, readable=False),
        metavar="FILE",
        help="Write a trace (JSON Lines) to this file.",
    ),
    click.option(
        "--trace-attention",
        is_flag=True,
        help="Beside the trace, each head's attention entropy at each token: FILE.attention.",
    ),
)


@dataclass(frozen=True)
class SessionOptions:
    """What a conversation is made with, as the command line has it."""

    settings: Settings
    model: str | None
    device: str
    system: str
    seed: int | None
    date: datetime.date | None
    max_tokens: int
    trace: Path | None
    trace_attention: bool

    def begin(
        self, model: "LanguageModel", written: Writers, progress: Progress = quiet
    ) -> "Session":
        """A session. Thresholds and a seed that are not the user's, and what the model lacks for
        the settings, are told on standard error.
        """
        from entropix_mlx.session.journal import Storage
        from entropix_mlx.session.session import Session

        session = Session(
            model,
            self.settings,
            seed=self.seed,
            system=self.system,
            date=self.date,
            trace=Storage(*written),
            progress=progress,
        )
        self.note(session)
        return session

    def note(self, made: "Session | Answers") -> None:
        """Tell what is not the user's, and what the model lacks for the settings."""
        note_calibration(made.model, made.calibration, self.model)
        if made.lacks is not None:
            tell(f"note: {made.lacks}")
        if self.seed is None and self.settings.is_random:
            tell(f"seed: {made.seed}")


def session_options(least_tokens: int) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """The options of a session, which the command gets as `asked`: `SessionOptions`.

    They raise UsageError as `settings_of`, and for --trace-attention where there is none to write.
    """
    options = _together(
        model_options,
        click.option(
            "--system", metavar="TEXT", default="", help="A system message before the first prompt."
        ),
        click.option(
            "--sampler",
            default="calibrated",
            metavar="PRESET|LINKS",
            help=f"One of {', '.join(declared())}, several of them as the links of a chain "
            '("top-k=40,min-p=0.05,temperature=0.8"), one of your own, or a class in a file '
            "(./mine.py:Name). Default: calibrated.",
        ),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Override a setting of the sampler; repeatable. `samplers` lists them.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, _LARGEST_SEED),
            metavar="N",
            help="Same seed, same tokens. Drawn and shown if not given.",
        ),
        click.option(
            "--date",
            type=click.DateTime(["%Y-%m-%d"]),
            metavar="YYYY-MM-DD",
            help="The date that the chat template prints, if it prints one. Default: today.",
        ),
        click.option(
            "--max-tokens",
            type=click.IntRange(least_tokens),
            metavar="N",
            default=512,
            help="The longest answer, in tokens. Default: 512.",
        ),
        trace_options,
    )

    fields = SessionOptions.__dataclass_fields__

    def add(command: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(command)
        def checked(
            *,
            sampler: str,
            overrides: tuple[str, ...],
            date: datetime.datetime | None,
            **given: Any,
        ) -> int:
            settings = settings_of(sampler, overrides)
            if given["trace_attention"] and not settings.capture:
                raise UsageError(
                    "--trace-attention needs the attention: leave out --set capture=false"
                )
            own = {name: given.pop(name) for name in [*given] if name in fields}
            asked = SessionOptions(settings, date=date.date() if date else None, **own)
            return command(asked=asked, **given)

        return options(checked)

    return add


@contextmanager
def writers(trace: Path | None, with_attention: bool) -> Iterator[Writers]:
    """What --trace and --trace-attention ask for, closed at the end.

    Raises UsageError for attention without a trace, TraceError if a file cannot be written.
    """
    if trace is None:
        if with_attention:
            raise UsageError("--trace-attention goes with --trace FILE: it writes FILE.attention")
        yield None, None
        return
    from entropix_mlx.trace.attention_file import AttentionWriter
    from entropix_mlx.trace.trace import TraceWriter, attention_beside

    with ExitStack() as stack:
        writer = stack.enter_context(closing(TraceWriter(trace)))
        attention = None
        if with_attention:
            attention = stack.enter_context(closing(AttentionWriter(attention_beside(trace))))
        yield writer, attention


def settings_of(preset: str, overrides: tuple[str, ...]) -> Settings:
    """A sampler of one's own is imported here. Raises UsageError for an unknown preset, setting or
    value, for a file that cannot be used, and what `own_presets` raises.
    """
    pairs = {}
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals:
            raise UsageError(f"--set {override!r}: give KEY=VALUE")
        pairs[name.strip()] = value
    return Settings.make(own.chosen(preset), pairs)


def load_model(name: str | None, device: str, progress: Progress) -> "LanguageModel":
    """The model that was named, or this device's default with a word on which and why."""
    from entropix_models import devices, loader
    from entropix_models.sources import sources

    chosen = devices.choose(device)
    if name is None:
        name = sources.default_name(chosen.kind)
        kind = "GPU" if chosen.is_gpu else "CPU"
        tell(f"model: {name}, the default on a {kind} (--model names another)")
    return loader.load(sources.resolve(name, progress=progress), chosen, progress)


def note_calibration(model: "LanguageModel", calibration: Calibration, named: str | None) -> None:
    """Say so if the thresholds are not the model's own; `named`: as --model has it."""
    if calibration is PROVISIONAL:
        tell(
            f"note: {model.info.name} has no calibration, so provisional thresholds are used "
            f"(entropix-mlx calibrate --model {shlex.quote(named or model.info.name)} makes one)"
        )
