"""What a command tells on standard error: for people as before, for programs as JSON lines."""

import json
import re
import sys
import time
import warnings

import pytest
from fakes import sound_file, tiny_checkpoint

from emomod.cli import main as main_module
from emomod.cli import options, telling
from emomod.cli.main import build_parser, main
from emomod.cli.telling import JsonTeller, TextTeller
from emomod.stages import Event, Stages

COMMON = {"time", "event", "stage", "done", "total", "seconds"}
READING, EXPLAINING = Event("stage", "reading"), Event("stage", "explaining")
HALF, WHOLE = (Event("progress", "explaining", 1.0, done, 32) for done in (16, 32))


class Terminal:
    """Standard error that is a terminal or not."""

    def __init__(self, *, terminal):
        self.terminal, self.text = terminal, ""

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def file(tmp_path):
    return str(sound_file(tmp_path, seconds=2.5))


@pytest.fixture
def model(tmp_path):
    return ["--model", str(tiny_checkpoint(tmp_path / "t.safetensors")), "--device", "cpu"]


def test_text_against_the_design_a_line_a_stage_where_there_is_no_terminal(monkeypatch):
    terminal = Terminal(terminal=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    announce = options.announcer()
    for event in (READING, Event("ended", "reading"), EXPLAINING, HALF, WHOLE, READING):
        announce(event)
    options.finish_progress()
    assert terminal.text == "emomod: reading\nemomod: explaining\n"


def test_text_against_the_design_one_line_that_is_rewritten_on_a_terminal(monkeypatch):
    terminal = Terminal(terminal=True)
    monkeypatch.setattr(sys, "stderr", terminal)
    announce = options.announcer()
    for event in (READING, Event("ended", "reading"), HALF):
        announce(event)
    options.finish_progress()
    shown = terminal.text.split("\r\033[K")
    assert shown == ["", "emomod: reading", "emomod: explaining: 16 of 32", ""]


def test_json_against_the_design_a_line_an_event(capsys):
    teller = JsonTeller()
    stages = Stages(teller.announcer())
    with stages.stage("reading"):
        stages.tell("the clip")
        stages.progress(1, 1)
    teller.end(0)
    first, told, progress, ended, last = lines_of(capsys.readouterr().err)
    assert all(set(line) >= COMMON for line in (first, told, progress, ended, last))
    assert [line["event"] for line in (first, told, progress, ended)] == ["stage", "tell", "progress", "ended"]
    assert {line["stage"] for line in (first, told, progress, ended)} == {"reading"}
    assert told["what"] == "the clip"
    assert (progress["done"], progress["total"]) == (1, 1)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in (first, last))
    assert (last["event"], last["stage"], last["exit_code"]) == ("end", None, 0)
    assert last["stages"] == {"reading": ended["seconds"]} == {"reading": stages.seconds["reading"]}
    assert last["seconds"] >= ended["seconds"]
    assert last["peak_memory_bytes"] > 10_000_000  # a Python with numpy and torch takes more


def test_json_against_the_design_seconds_of_stages_of_one_name_add_up(capsys):
    teller = JsonTeller()
    for seconds in (1.25, 2.0):
        teller.announcer()(Event("ended", "reading", seconds))
    teller.end(1)
    last = lines_of(capsys.readouterr().err)[-1]
    assert (last["stages"], last["exit_code"]) == ({"reading": 3.25}, 1)


def test_json_against_the_design_progress_rests_between_lines_and_its_last_always_comes(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    announce = JsonTeller().announcer()
    for step in range(1, 31):
        now[0] = 0.1 * step
        announce(Event("progress", "explaining", now[0], step, 30))
    told = [line["done"] for line in lines_of(capsys.readouterr().err)]
    assert told == [1, 11, 21, 30]


@pytest.mark.parametrize("place", [0, 1, -1], ids=["first", "after the command", "last"])
def test_log_json_against_text_mode_the_same_result_wherever_it_stands(place, file, model, capsys):
    words = ["predict", file, "--json", *model]
    assert main(words) == 0
    plain = capsys.readouterr()
    words.insert(place if place >= 0 else len(words), "--log-json")
    assert main(words) == 0
    told = capsys.readouterr()
    assert told.out == plain.out
    assert plain.err == f"emomod: listening to {file}\n"
    assert [line["event"] for line in lines_of(told.err)] == ["stage", "ended", "end"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "absent.wav", "--device", "cpu"], "absent.wav: there is no such file"),
        (["predict"], r"the following arguments are required: FILE \(see emomod predict --help\)"),
        (["sing"], "invalid choice: 'sing'"),
        (["corpus", "render", "--out", "o"], "--clips"),
    ],
)
def test_log_json_iv_errors_are_a_line_too(words, message, capsys):
    assert main([*words, "--log-json"]) == 1
    *_, error, last = lines_of(capsys.readouterr().err)
    assert (error["event"], error["kind"]) == ("error", "InputError")
    assert re.search(message, error["message"])
    assert (last["event"], last["exit_code"]) == ("end", 1)


def test_log_json_against_the_design_an_unforeseen_error_is_a_line_with_its_place(monkeypatch, capsys):
    def fail(*_):
        raise ZeroDivisionError("no\nmasks")

    monkeypatch.setattr(main_module, "build_parser", fail)
    assert main(["predict", "a.wav", "--log-json"]) == 1
    error, last = lines_of(capsys.readouterr().err)
    assert (error["kind"], error["message"]) == ("ZeroDivisionError", "no\nmasks")
    assert any("in fail" in line for line in error["traceback"])
    assert last["exit_code"] == 1
    with pytest.raises(ZeroDivisionError):  # people are shown it by Python
        main(["predict", "a.wav"])


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143), (BrokenPipeError(), 1)]
)
def test_log_json_against_the_design_the_last_line_has_the_exit_code(monkeypatch, capsys, error, code):
    def end(*_):
        raise error

    monkeypatch.setattr(main_module, "build_parser", end)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    if isinstance(error, SystemExit):
        with pytest.raises(SystemExit, match=str(code)):
            main(["--log-json"])
    else:
        assert main(["--log-json"]) == code
    assert lines_of(capsys.readouterr().err)[-1]["exit_code"] == code


def test_log_json_against_the_design_help_and_version_end_well(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--log-json", "--version"])
    assert lines_of(capsys.readouterr().err)[-1]["exit_code"] == 0


def test_log_json_after_two_dashes_is_a_file(capsys):
    assert main(["predict", "--device", "cpu", "--", "--log-json"]) == 1
    assert capsys.readouterr().err.endswith("emomod: --log-json: there is no such file\n")


def test_lines_of_jobs_without_stages_and_warnings_are_lines_of_json(capsys):
    with telling.telling(JsonTeller()), warnings.catch_warnings(action="default"):
        options.print_progress("rendered 3 of 4")
        warnings.warn("it is loud", UserWarning, stacklevel=1)
        options.print_error("a.wav: is silent")
    told = lines_of(capsys.readouterr().err)
    assert [line.get("what") or line["message"] for line in told] == [
        "rendered 3 of 4",
        "warning: it is loud",
        "a.wav: is silent",
    ]
    assert told[2]["kind"] == "problem"
    assert isinstance(telling.present(), TextTeller)  # as before
    options.print_progress("rendered 4 of 4")
    options.print_error("a.wav: is\nsilent")
    assert capsys.readouterr().err == "rendered 4 of 4\nemomod: a.wav: is silent\n"


def parsers(parser, name="emomod"):
    """A parser and all below it, by what one types."""
    yield name, parser
    for action in parser._actions:
        for below, found in (action.choices or {}).items() if hasattr(action, "_name_parser_map") else ():
            yield from parsers(found, f"{name} {below}")


@pytest.mark.parametrize(("name", "parser"), dict(parsers(build_parser())).items(), ids=lambda value: str(value)[:40])
def test_every_command_knows_the_option(name, parser):
    assert "--log-json" in parser._option_string_actions, name
