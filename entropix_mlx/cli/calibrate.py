"""`entropix-mlx calibrate`: thresholds and words that are a model's own."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from entropix_mlx.cli.estimate import Estimate
from entropix_mlx.cli.exit_status import debug_option
from entropix_mlx.cli.input import read_text
from entropix_mlx.cli.options import load_model, model_options
from entropix_mlx.cli.output import columns
from entropix_mlx.cli.progress import stderr_progress
from entropix_mlx.cli.say import say, tell
from entropix_mlx.records.measures import percent
from entropix_mlx.records.quadrants import QUADRANTS, sentence, word
from entropix_mlx.terminal.visible import escaped
from entropix_models.errors import EntropixError, UsageError

if TYPE_CHECKING:
    from entropix_mlx.sampling.calibration import Calibration


@click.command()
@model_options
@click.option(
    "--prompts",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Prompts, one a line, of every fourth of which the answer is held out. Default: 48 own.",
)
@click.option(
    "--tokens",
    type=click.IntRange(1),
    default=96,
    metavar="N",
    help="The longest answer, in tokens. Default: 96.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**62),
    default=1,
    metavar="N",
    help="Same seed, same file. Default: 1.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Write it there. Default: among your own calibrations, which go before the program's.",
)
@debug_option
def calibrate(
    model: str | None, device: str, prompts: Path | None, tokens: int, seed: int, out: Path | None
) -> None:
    """Measure where a model is sure and where it is not, for its thresholds and its words.

    It answers prompts; the answers of three in four are fitted to, and on the others is counted
    for how many tokens the sentence of each quadrant holds. A split that holds for less than nine
    tenths of them is refused. What cannot be measured, such as the attention of some architectures,
    stays provisional, and the file says so. Ten minutes for a small model on two CPU cores, one or
    less on a GPU.
    """
    lines = _prompts(prompts)

    from entropix_mlx.sampling.calibration import key, own_file, save
    from entropix_mlx.session.survey import survey
    from entropix_models.devices import release_thread
    from entropix_models.paths import require_writable

    # Minutes of work shall not end with a place that was wrong from the start.
    if out is not None and not out.parent.is_dir():
        raise EntropixError(f"cannot write into {out.parent}: make that folder, or name another")
    require_writable(out or own_file("of any model"))
    try:
        with stderr_progress() as progress:
            loaded = load_model(model, device, progress)
        if not loaded.tokenizer.has_chat_template:
            tell(f"note: {loaded.info.name} has no chat template; raw prompts")
        info = loaded.info
        target = out or own_file(key(info.name, info.revision, info.quantization))
        require_writable(target)
        shown = Estimate("prompts", len(lines))
        try:
            found = survey(loaded, lines, tokens=tokens, seed=seed, told=shown.told)
        except UsageError:
            raise
        except ValueError as error:
            raise EntropixError(f"{info.name} is not calibrated: {error}") from error
        finally:
            shown.close()
        save(found, target)
        say("\n".join(_table(found)))
        tell(f"written: {escaped(str(target))}")
    finally:
        release_thread()


def _prompts(file: Path | None) -> list[str]:
    """Raises UsageError for a file that is empty or no text, EntropixError for none."""
    from entropix_mlx.sampling.calibration import own_prompts, prompts_of

    return own_prompts() if file is None else prompts_of(read_text(None, file))


def _table(found: "Calibration") -> list[str]:
    """Everything that was measured, the shares and rates on the answers that were held out."""
    from entropix_mlx.sampling.fit import PROVISIONAL_RANGES

    split, source = found.split, found.source
    assert split is not None
    head = (
        f"{found.model} {found.revision or ''}, {found.quantization or 'dense'}: "
        f"{source['tokens']} tokens, {source['held_out']} of them held out"
    )
    rows = [("quadrant", "code", "share", "holds for", "sentence")]
    for quadrant in QUADRANTS:
        counted = found.held_out[quadrant]
        rows.append(
            (
                word(quadrant, split),
                quadrant,
                percent(counted.share, 1),
                f"{percent(counted.rate, 1)} ({counted.holds} of {counted.tokens})",
                sentence(quadrant, split),
            )
        )
    usual = [("entropy", "usual varentropy"), *((f"{h:.2f}", f"{v:.2f}") for h, v in split.usual)]
    unknown = source.get(PROVISIONAL_RANGES)
    shares = [("region", "share"), *((name, percent(s, 1)) for name, s in found.shares.items())]
    return [
        escaped(head),
        "",
        f"entropy is high from {split.entropy:.2f} bits on, varentropy wide from what is usual on",
        *columns(rows),
        "",
        *columns(usual),
        "",
        *columns([("threshold", ""), *((n, f"{v:.2f}") for n, v in found.thresholds.items())]),
        "",
        *columns(shares),
        *(["", f"not measured, ranges provisional: {unknown}"] if unknown else []),
    ]
