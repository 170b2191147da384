"""A screen goes when it is the uppermost, once; imported for what it does to Textual's screens.

Report for Textual 8.2.8: "Screen.dismiss pops whatever is on top of the stack. Keys that arrive in
one read are queued: the first opens a modal screen over this one, Escape is still for this one, and
its dismissal pops the other. The second Escape raises InvalidStateError, or ScreenStackError where
nothing is left below."
"""

from typing import Any

from textual.app import ScreenStackError
from textual.await_complete import AwaitComplete
from textual.screen import Screen

_dismiss = Screen.dismiss


def _dismiss_uppermost(screen: Screen[Any], result: Any = None) -> AwaitComplete:
    try:
        is_uppermost = screen.app.screen is screen
    except ScreenStackError:
        is_uppermost = False
    return _dismiss(screen, result) if is_uppermost else AwaitComplete()


Screen.dismiss = _dismiss_uppermost  # type: ignore[method-assign, assignment]
