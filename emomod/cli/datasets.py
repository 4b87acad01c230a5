"""emomod dataset: the research datasets that a user brings, checked and prepared for training."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emomod.cli.options import print_error, print_json, print_progress
from emomod.errors import InputError

if TYPE_CHECKING:
    from emomod.datasets.clips import RatedClips
    from emomod.datasets.prepare import Heard
    from emomod.datasets.problems import DatasetError, Problem

KINDS = ("midlevel", "soundtracks")
LIST_HINT = "--problems FILE writes the whole list"
SKIP_HINT = "--skip-bad goes on without the clips in question"


def add(commands: Any) -> None:
    """Check the Mid-level or Soundtracks dataset, or prepare it for training."""
    parser = commands.add_parser("dataset", help=add.__doc__, description=add.__doc__)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser("check", help="read tables and sounds; say what is there and every problem")
    add_check_arguments(check)
    check.set_defaults(run=execute_check)
    prepare = actions.add_parser("prepare", help="write the spectrograms that training reads")
    add_prepare_arguments(prepare)
    prepare.set_defaults(run=execute_prepare)


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod dataset check``."""
    parser.add_argument("dataset", choices=KINDS, help="which dataset it is")
    parser.add_argument("folder", type=Path, metavar="DIR", help="where its tables and sounds lie")
    parser.add_argument("--skip-bad", action="store_true", help="go on without the clips that problems name")
    parser.add_argument("--problems", type=Path, metavar="FILE", help="write all problems as CSV")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def add_prepare_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``emomod dataset prepare``."""
    add_check_arguments(parser)
    parser.add_argument(
        "--soundtracks",
        type=Path,
        metavar="DIR",
        help="with midlevel: adds the emotions of its clips; needs only the ratings",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the spectrograms; a stopped run goes on"
    )


def execute_check(arguments: argparse.Namespace) -> int:
    """Check and print; 1 when there are problems and the user did not say to go on."""
    from emomod.datasets.prepare import check_sounds
    from emomod.datasets.problems import DatasetError, ordered

    _check_problems_file(arguments)
    try:
        clips = _load(arguments.dataset, arguments.folder, skip_bad=True)
    except DatasetError as error:
        return _refuse(arguments, error)
    heard, faults = check_sounds(clips, log=print_progress)
    good = [index for index, sound in enumerate(heard) if sound.fault is None]
    problems = ordered((*clips.left_out, *faults))
    if problems and not (arguments.skip_bad and good):
        return _refuse(arguments, DatasetError(problems, can_skip=bool(good)))
    _finish(arguments, clips.only(good, left_out=problems), [heard[index] for index in good])
    return 0


def execute_prepare(arguments: argparse.Namespace) -> int:
    """Prepare and print what was made; 1 when there are problems and the user did not say to go on."""
    from emomod.datasets.prepare import prepare
    from emomod.datasets.problems import DatasetError

    if arguments.soundtracks is not None and arguments.dataset != "midlevel":
        raise InputError(
            "--soundtracks adds to midlevel; for Soundtracks alone: emomod dataset prepare soundtracks DIR"
        )
    _check_problems_file(arguments)
    try:
        if arguments.soundtracks is not None:
            clips = _load_both(arguments.folder, arguments.soundtracks, skip_bad=arguments.skip_bad)
        else:
            clips = _load(arguments.dataset, arguments.folder, skip_bad=arguments.skip_bad)
        prepared, heard = prepare(clips, arguments.out, skip_bad=arguments.skip_bad, log=print_progress)
    except DatasetError as error:
        return _refuse(arguments, error)
    _finish(arguments, prepared, heard)
    return 0


def _load(dataset: str, folder: Path, *, skip_bad: bool) -> "RatedClips":
    from emomod.datasets.midlevel import load_midlevel
    from emomod.datasets.soundtracks import load_soundtracks

    load = load_midlevel if dataset == "midlevel" else load_soundtracks
    return load(folder, skip_bad=skip_bad)


def _load_both(midlevel: Path, soundtracks: Path, *, skip_bad: bool) -> "RatedClips":
    """Mid-level with the ratings of Soundtracks; the problems of both come at once."""
    from emomod.datasets.link import join
    from emomod.datasets.midlevel import load_midlevel
    from emomod.datasets.problems import DatasetError
    from emomod.datasets.soundtracks import load_film_excerpts

    refused: list[DatasetError] = []
    clips = excerpts = None
    try:
        clips = load_midlevel(midlevel, skip_bad=skip_bad)
    except DatasetError as error:
        refused.append(error)
    try:
        excerpts = load_film_excerpts(soundtracks, skip_bad=skip_bad)
    except DatasetError as error:
        refused.append(error)
    if clips is None or excerpts is None:
        problems = [problem for error in refused for problem in error.problems]
        raise DatasetError(problems, can_skip=all(error.can_skip for error in refused))
    return join(clips, excerpts, skip_bad=skip_bad)


def _refuse(arguments: argparse.Namespace, error: "DatasetError") -> int:
    """Tell the problems and what can be done that the user has not asked for yet."""
    from emomod.datasets.problems import SHOWN, listing

    _write_problems(arguments, error.problems)
    if arguments.json:
        print_json({"problems": [vars(problem) for problem in error.problems]})
    hints = [LIST_HINT] if arguments.problems is None and len(error.problems) > SHOWN else []
    hints += [SKIP_HINT] if error.can_skip and not arguments.skip_bad else []
    _say(*listing(error.problems), "; ".join([*hints, "see docs/datasets.md"]))
    return 1


def _finish(arguments: argparse.Namespace, clips: "RatedClips", heard: "list[Heard]") -> None:
    """Tell what there is."""
    from emomod.datasets.problems import listing
    from emomod.datasets.summary import summarise, told

    _write_problems(arguments, clips.left_out)
    summary = summarise(clips, [sound.seconds for sound in heard])
    if arguments.json:
        print_json(summary)
    else:
        print("\n".join(told(summary)))
    if clips.left_out:
        _say(*listing(clips.left_out), "the clips that these name are left out")


def _say(*lines: str) -> None:
    for line in lines:
        print_error(line)


def _check_problems_file(arguments: argparse.Namespace) -> None:
    """Refuse a file that cannot be written before the sounds are read."""
    if arguments.problems is not None:
        from emomod.datasets.problems import check_problems_file

        check_problems_file(arguments.problems)


def _write_problems(arguments: argparse.Namespace, problems: "tuple[Problem, ...]") -> None:
    if arguments.problems is not None:
        from emomod.datasets.problems import write_problems

        write_problems(arguments.problems, problems)
