"""The debugger's commands that decide: each returns to the token looked at first."""

from collections.abc import Iterator

from entropix_mlx.debugger import arguments
from entropix_mlx.debugger.debugger import Debugger
from entropix_mlx.debugger.outputs import Output
from entropix_mlx.sampling.settings import Settings
from entropix_models.errors import UsageError


def take(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    halted = debugger.live
    if rest:
        halted.reconsider(force=arguments.candidate(debugger, rest))
    yield from debugger.run(lambda _taken, _proposed: True)


def insert(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    yield from debugger.insert(arguments.text(rest))
    yield from debugger.run(lambda _taken, _proposed: True)


def ban(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    halted = debugger.live
    id = arguments.candidate(debugger, rest) if rest else halted.proposal().id
    halted.ban(id)
    yield from debugger.here()


def redraw(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from debugger.make_live()
    debugger.live.redraw(arguments.count(rest, "redraw", least=0) if rest else None)
    yield from debugger.here()


def change(debugger: Debugger, rest: str) -> Iterator[Output]:
    name, equals, value = (part.strip() for part in rest.partition("="))
    if not equals:
        raise UsageError("set takes KEY=VALUE, as in: set temperature=0.5")
    present = debugger.session.settings
    known = present.parameters()
    values = {k: str(v) for k, v in present.to_dict().items() if k in known and v is not None}
    yield from _use(debugger, Settings.make(present.preset, values | {name: value}))


def preset(debugger: Debugger, rest: str) -> Iterator[Output]:
    yield from _use(debugger, Settings.make(rest))


def _use(debugger: Debugger, settings: Settings) -> Iterator[Output]:
    yield from debugger.make_live()
    event = debugger.session.use(settings)
    if event is not None:
        yield event
    yield from debugger.here()


def end(debugger: Debugger, _rest: str) -> Iterator[Output]:
    debugger.cursor = None
    yield from debugger.running.leave()
    yield from debugger.here()
