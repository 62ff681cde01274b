"""Completion of commands, flags and values in shells: a script, made from the flags themselves.

    strong-tickets completion bash > ~/.local/share/bash-completion/completions/strong-tickets
    strong-tickets completion zsh > ~/.zfunc/_strong-tickets
    strong-tickets completion fish > ~/.config/fish/completions/strong-tickets.fish

The script holds everything, so that no key press starts Python; make it anew after an upgrade. Commands whose extra is
not installed are completed by name alone.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from sims.commands import cli, flags

Shell = Literal["bash", "zsh", "fish"]

PROGRAM = "strong-tickets"


@dataclass(frozen=True)
class Completion:
    """Print a script that completes the commands, flags and values of strong-tickets."""

    examples: ClassVar[tuple[str, ...]] = (
        "strong-tickets completion bash > ~/.local/share/bash-completion/completions/strong-tickets",
        "strong-tickets completion zsh > ~/.zfunc/_strong-tickets",
        "strong-tickets completion fish > ~/.config/fish/completions/strong-tickets.fish",
    )

    shell: Annotated[Shell, tyro.conf.Positional]
    """Which shell reads it."""


@dataclass(frozen=True)
class Flag:
    """A flag as a shell needs it.

    Attributes
    ----------
    name : str
        With its dashes; "" for a word that stands without.
    takes : bool
        Whether a value follows.
    choices : tuple of str
        The values, where they are few and known.
    files, folders : bool
        Whether the value is a path.
    """

    name: str
    takes: bool
    choices: tuple[str, ...] = ()
    files: bool = False
    folders: bool = False


HELP = Flag("--help", takes=False)


# -- what there is -----------------------------------------------------------------------------------------------------


def configs_of(module: str) -> dict[str, type[Any]]:
    """The flags of a command's module, by its first word; of one without verbs by "".

    Examples
    --------
    >>> list(configs_of("sims.store")), configs_of("sims.budget")[""].__name__
    (['info', 'merge', 'export'], 'Budget')
    """
    found = importlib.import_module(module)
    if module == "sims.sweep.command":
        from sims.registry import NAMES, experiment

        return {name.replace("_", "-"): found.combined(config) for name, config in _swept(NAMES, experiment)}
    if hasattr(found, "configs"):
        configs: dict[str, type[Any]] = found.configs()
        return configs
    if hasattr(found, "VERBS"):
        return {name: verb.config for name, verb in found.VERBS.items()}
    if hasattr(found, "EXPERIMENT"):
        return {"": found.EXPERIMENT.config}
    own = (one for one in vars(found).values() if isinstance(one, type) and one.__module__ == module)
    (config,) = (one for one in own if dataclasses.is_dataclass(one) and "examples" in vars(one))
    return {"": config}


def _swept(names: Sequence[str], experiment: Any) -> Iterator[tuple[str, type[Any]]]:
    for name in names:
        try:
            yield name, experiment(name).config
        except (ValueError, ImportError):  # of an extra that is not installed
            continue


def flags_of(config: type[Any]) -> tuple[Flag, ...]:
    """The flags of a config, --help at the end; a word without a flag, where few are known, has no name.

    Examples
    --------
    >>> [(flag.name, flag.choices) for flag in flags_of(Completion)]
    [('', ('bash', 'zsh', 'fish')), ('--help', ())]
    """
    hints = typing.get_type_hints(config, include_extras=True)
    found = []
    for field in dataclasses.fields(config):
        marks = getattr(hints[field.name], "__metadata__", ())
        if tyro.conf.Positional in marks:
            words = tuple(_choices(typing.get_args(hints[field.name])[0]))
            found += [Flag("", takes=True, choices=words)] if words else []
        else:
            name = f"--{'no-' if field.default is True else ''}{field.name.replace('_', '-')}"
            found.append(_flag(name, hints[field.name], marks))
    return (*found, HELP)


def _flag(name: str, hint: Any, marks: Sequence[Any]) -> Flag:
    metavar = next((mark.metavar for mark in marks if isinstance(mark, PrimitiveConstructorSpec)), "")
    kind = typing.get_args(hint)[0] if marks else hint
    if kind is bool:
        return Flag(name, takes=False)
    return Flag(
        name, takes=True, choices=tuple(_choices(kind)), files=metavar.startswith("FILE"),
        folders=metavar.startswith("DIR"),
    )  # fmt: skip


def _choices(kind: Any) -> Iterator[str]:
    if typing.get_origin(kind) is Literal:
        yield from map(str, typing.get_args(kind))
    elif typing.get_origin(kind) in (typing.Union, types.UnionType, tuple):
        for one in typing.get_args(kind):
            yield from _choices(one)


def commands() -> dict[str, dict[str, tuple[Flag, ...]]]:
    """Every command's verbs ("" for none) and their flags; of one that cannot be loaded nothing."""
    from sims.commands.main import COMMANDS

    found = {}
    for name, (module, _) in COMMANDS.items():
        try:
            found[name] = {verb: flags_of(config) for verb, config in configs_of(module).items()}
        except ImportError:
            found[name] = {"": (HELP,)}
    return found


# -- scripts -----------------------------------------------------------------------------------------------------------

_BASH = """\
_strong_tickets() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} at=${{COMP_WORDS[1]}} flag="" i
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands} --help --version" -- "$cur"))
        return
    fi
    case "$at" in
{verbs}
    esac
    for ((i = COMP_CWORD - 1; i > 1; i--)); do
        case "${{COMP_WORDS[i]}}" in --*) flag=${{COMP_WORDS[i]}}; break ;; esac
    done
    case "$cur" in
    -*)
        case "$at" in
{flags}
        esac
        return ;;
    esac
    case "$at $flag" in
{values}
    esac
    COMPREPLY=($(compgen -f -- "$cur"))
    compopt -o filenames 2>/dev/null
}}
complete -F _strong_tickets strong-tickets
"""


def bash(found: Mapping[str, Mapping[str, Sequence[Flag]]]) -> str:
    """The script for bash."""
    verbs, words, values = [], [], []
    for name, by_verb in found.items():
        if "" not in by_verb:
            reply = f'COMPREPLY=($(compgen -W "{" ".join(by_verb)} --help" -- "$cur")); return'
            verbs.append(f"    {name})")
            verbs.append(f'        if [ "$COMP_CWORD" -eq 2 ]; then {reply}; fi')
            verbs.append('        at="$at ${COMP_WORDS[2]}" ;;')
        for verb, flags_ in by_verb.items():
            at = f"{name} {verb}".strip()
            names = " ".join(flag.name for flag in flags_ if flag.name)
            words.append(f'        "{at}") COMPREPLY=($(compgen -W "{names}" -- "$cur")) ;;')
            for flag in flags_:
                if flag.choices:
                    reply = f'COMPREPLY=($(compgen -W "{" ".join(flag.choices)}" -- "$cur")); return'
                elif flag.folders:
                    reply = 'COMPREPLY=($(compgen -d -- "$cur")); compopt -o filenames 2>/dev/null; return'
                elif flag.takes and not flag.files:
                    reply = "return"
                else:
                    continue
                values.append(f'    "{at} {flag.name}") {reply} ;;')
    return _BASH.format(
        commands=" ".join(found), verbs="\n".join(verbs), flags="\n".join(words), values="\n".join(values)
    )


def zsh(found: Mapping[str, Mapping[str, Sequence[Flag]]]) -> str:
    """The script for zsh: that of bash, which zsh reads too."""
    begin = f"#compdef {PROGRAM}\nautoload -U +X bashcompinit && bashcompinit\n"
    first = f'[[ "${{funcstack[1]}}" == _{PROGRAM} ]] && _bash_complete -F _strong_tickets\n'  # found by its name
    return begin + bash(found) + first


def fish(found: Mapping[str, Mapping[str, Sequence[Flag]]]) -> str:
    """The script for fish."""
    from sims.commands.main import COMMANDS

    lines = []
    first = f"complete -c {PROGRAM}"
    for name, by_verb in found.items():
        lines.append(f"{first} -f -n __fish_use_subcommand -a {name} -d {_quoted(COMMANDS[name][1])}")
        if "" not in by_verb:
            none = f"__fish_seen_subcommand_from {name}; and not __fish_seen_subcommand_from {' '.join(by_verb)}"
            lines.append(f"{first} -f -n {_quoted(none)} -a {_quoted(' '.join(by_verb))}")
        for verb, flags_ in by_verb.items():
            here = f"__fish_seen_subcommand_from {name}" + (f"; and __fish_seen_subcommand_from {verb}" if verb else "")
            for flag in flags_:
                if not flag.name:
                    lines.append(f"{first} -f -n {_quoted(here)} -a {_quoted(' '.join(flag.choices))}")
                    continue
                line = f"{first} -n {_quoted(here)} -l {flag.name.removeprefix('--')}"
                if flag.choices:
                    line += f" -x -a {_quoted(' '.join(flag.choices))}"
                elif flag.folders:
                    line += " -x -a '(__fish_complete_directories)'"
                elif flag.files:
                    line += " -r -F"
                elif flag.takes:
                    line += " -x"
                lines.append(line)
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SCRIPTS = {"bash": bash, "zsh": zsh, "fish": fish}


def _work(args: Sequence[str] | None) -> int:
    given = flags.parse(Completion, args, prog=f"{PROGRAM} completion")
    sys.stdout.write(SCRIPTS[given.shell](commands()))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command; see ``--help``."""
    return cli.run(_work, argv)


if __name__ == "__main__":
    sys.exit(main())
