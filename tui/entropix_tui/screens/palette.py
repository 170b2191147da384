"""Commands by name: Textual's palette, where its list has room."""

from textual.command import CommandList, CommandPalette


class Palette(CommandPalette):
    """Has no id, which Textual's own shares with one that is still closing.

    Reports for Textual 8.2.8: "App.action_command_palette raises DuplicateIds when the palette is
    opened again while it closes, or from a screen above it." "OptionList.action_page_up raises
    KeyError when its content region is empty, as in a terminal of 20x5: `_update_lines` returns
    early, and `_move_page` looks into `_index_to_line`." "A letter typed into a palette that is
    closing begins a worker, which raises NoMatches for the CommandList, and ends the program."
    "OptionList.get_content_height and `_update_lines` raise ValueError (range() arg 3 must not be
    zero) where the padding of an option, or it and the scroll bar, take all of the list's width, as
    in a palette of 4x1 and of 6x8."
    """

    # An option's padding, a scroll bar and two cells of text.
    DEFAULT_CSS = "Palette CommandList { min-width: 8; }"

    def _gather_commands(self, search_value: str) -> None:  # type: ignore[override]
        if self.query(CommandList):
            super()._gather_commands(search_value)

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)
