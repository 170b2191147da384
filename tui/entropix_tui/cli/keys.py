"""`entropix-tui keys`: what can be rebound, and where."""

import click

from entropix_mlx.cli.say import say, tell


@click.command()
def keys() -> int:
    """List every key by the name that the configuration has for it."""
    from entropix_mlx.terminal.glyphs import one_line
    from entropix_tui.app import scopes
    from entropix_tui.keys import config, keymap

    path = config.config_path()
    wishes = config.read(path)
    known = scopes()
    loaded = keymap.check(wishes, known)
    rows: list[tuple[str, str, str]] = []
    for scope in known:
        rows.append(("", "", scope.title))
        for binding in scope.bindings:
            held = loaded.keymap.get(binding.id, ",".join(binding.keys))
            rows.append((binding.id, held.replace(",", ", "), binding.does))
    names = max(len(name) for name, _, _ in rows)
    widest = max(len(held) for _, held, _ in rows)
    for name, held, does in rows:
        if not name:
            say(f"\n{does}" if rows[0][2] != does else does)
        else:
            say(f"  {name:<{names}}  {held:<{widest}}  {does}".rstrip())
    say(f"\nRebind them in {path}{'' if path.exists() else ' (not there yet)'}:\n")
    say(f'[keys]\n"{rows[1][0]}" = "{rows[1][1].replace(" ", "")}"')
    for notice in (*wishes.notices, *loaded.notices):
        tell(f"note: {one_line(notice)}")
    return 0
