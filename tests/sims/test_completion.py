"""Shell completion, and the end of every help: what is offered is what the commands take."""

import re
import shlex
import shutil
import subprocess

import pytest

from sims.commands import completion, flags, main

FOUND = completion.commands()
CONFIGS = [(name, verb) for name, by_verb in FOUND.items() for verb in by_verb]


def config_of(name, verb):
    return completion.configs_of(main.COMMANDS[name][0])[verb]


@pytest.mark.parametrize(("name", "verb"), CONFIGS)
def test_flags_are_those_of_the_help_which_ends_in_examples(name, verb, capsys):
    if (name, verb) == ("sweep", "main-theorem"):
        pytest.importorskip("torch")
    with pytest.raises(SystemExit):
        flags.parse(config_of(name, verb), ["--help"], prog="x")
    printed = capsys.readouterr().out
    shown, _, examples = printed.partition("\nexamples:\n")
    assert re.search(r"^  (python -m|strong-tickets|for |[a-z.]+/)", examples, re.MULTILINE)
    offered = {flag.name for flag in FOUND[name][verb] if flag.name}
    listed = set(re.findall(r"^[^\w-]{0,3}(?:-h, )?(--[A-Za-z][\w-]*)", shown, re.MULTILINE))
    assert offered == listed
    for flag in FOUND[name][verb]:
        for choice in flag.choices:
            assert choice in shown


@pytest.mark.parametrize(("name", "verb"), CONFIGS)
def test_every_example_of_its_own_can_be_read(name, verb):
    config = config_of(name, verb)
    module = main.COMMANDS[name][0].removesuffix(".command").removesuffix(".__main__")
    starts = [f"python -m {module} {verb}".strip(), f"strong-tickets {name} {verb}".strip()]
    starts += [f"python -m {module} {verb.replace('-', '_')}".strip()]
    own = 0
    for line in config.examples:
        words = shlex.split(line.partition(" > ")[0])
        for start in starts:
            first = shlex.split(start)
            if words[: len(first)] == first:
                flags.parse(config, words[len(first) :], prog="x")
                own += 1
                break
    assert own or name in ("sweep", "tail"), config.examples  # both show those of experiments


def test_general_helps_end_in_examples(capsys):
    for name, by_verb in FOUND.items():
        if "" not in by_verb:
            assert main.main([name, "--help"]) == 0
            assert "\nexamples:\n  python -m " in capsys.readouterr().out


def test_what_cannot_be_loaded_is_completed_by_name(monkeypatch):
    def missing(module):
        raise ModuleNotFoundError("torch", name="torch")

    monkeypatch.setattr(completion, "configs_of", missing)
    found = completion.commands()
    assert set(found) == set(main.COMMANDS)
    assert found["train"] == {"": (completion.HELP,)}


TRIED = [
    (["sub"], {"subset-sum"}),
    (["subset-sum", "--mod"], {"--model"}),
    (["subset-sum", "--model", ""], {"choice", "vector"}),
    (["subset-sum", "--model", "v"], {"vector"}),
    (["store", ""], {"info", "merge", "export"}),
    (["store", "export", "--pl"], {"--plot"}),
    (["sweep", "subset-sum", "--sh"], {"--shard"}),
    (["completion", ""], {"bash", "zsh", "fish"}),
    (["figure", "cov"], {"coverage"}),
    (["figure", "coverage", "--inter"], {"--interval"}),
    (["tail", "--mod"], {"--model"}),
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes(tmp_path):
    script = [completion.bash(FOUND)]
    for words, _ in TRIED:
        script.append(f"COMP_WORDS=(strong-tickets {shlex.join(words)}); COMP_CWORD={len(words)}")
        script.append('_strong_tickets; echo "${COMPREPLY[*]}"')
    script += [
        "COMP_WORDS=(strong-tickets subset-sum --csv roz); COMP_CWORD=3",
        "_strong_tickets; echo ${COMPREPLY[*]}",
    ]
    script += [
        "COMP_WORDS=(strong-tickets subset-sum --seed ''); COMP_CWORD=3",
        "_strong_tickets; echo ${COMPREPLY[*]}",
    ]
    (tmp_path / "rozella.csv").touch()
    found = subprocess.run(["bash"], input="\n".join(script), cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stderr == ""
    *lines, file, nothing = found.stdout.split("\n")[:-1]
    assert [set(line.split()) - {"--help"} for line in lines] == [wanted for _, wanted in TRIED]
    assert (file, nothing) == ("rozella.csv", "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(tmp_path):
    (tmp_path / "c.fish").write_text(completion.fish(FOUND))
    for words, wanted in TRIED:
        line = shlex.quote(" ".join(["strong-tickets", *words]))
        command = ["fish", "--no-config", "-c", f"source c.fish; complete -C {line}"]
        found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert {one.split("\t")[0] for one in found.stdout.splitlines()} == wanted


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_reads_the_script(tmp_path):
    (tmp_path / "c.zsh").write_text(completion.zsh(FOUND))
    subprocess.run(["zsh", "-n", "c.zsh"], cwd=tmp_path, check=True)


def test_mistakes_are_one_line(capsys):
    for words in ([], ["tcsh"], ["bash", "zsh"]):
        assert main.main(["completion", *words]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("error: ")
        assert said.err.count("\n") == 1
    assert main.main(["completion", "bash"]) == 0
    assert capsys.readouterr().out == completion.bash(FOUND)
