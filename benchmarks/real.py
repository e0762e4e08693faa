"""How right weights are on real telescopes; writes a page, numbers and pictures of the errors.

    python benchmarks/real.py OUT.md --nights DIR --work DIR [--ckpt pretrained] [--parts]
        [--ckpt-of TELESCOPE=CKPT ...] [--telescope PREFIX=NAME ...] [--only TELESCOPE ...]
        [--kind COPY ...] [--seeds N]
    python benchmarks/real.py --quick

DIR holds labelled folders of frames; the telescope of a folder is what stands before the first
underscore of its name, or what `--telescope` says of its prefix. Judged are, for each telescope,
the real frames, defects injected into its good frames, and copies of them in which much changes
and nothing is bad; what is made lies below `--work` and is made once. Frames are judged alone and
three in a row, too, for the calibration. Ways of judging: each head, the fused probability (with
`--parts` also without the pictures and by the pictures alone), the heuristics, and the untrained
baseline: ten numbers of `sep`, robust deviation from the folder, limit of five sigma.

`--only`, `--kind` and `--seeds` (of defects and copies, per folder) take less than everything.
`--ckpt-of` names weights for one telescope, such as those whose training left it out. Intervals
are 95 %, over nights, over frames where there is one night; frames injected with several seeds
come from the same good frames. Beside OUT.md lie OUT.json, OUT.csv (every frame), OUT.wrong.md
(what was missed and falsely rejected) and OUT.TELESCOPE.png (pictures of it).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from nights import quick_night
from real_judging import judge, ways
from real_numbers import numbers_of
from real_pages import (
    Results,
    as_json,
    draw_wrong,
    per_telescope,
    summary,
    wrong_section,
)
from real_sets import Part, make_parts

from nightsift.models.weights import load_weights


def judge_all(
    parts: Sequence[Part], ckpts: dict[str, str], default: str, work: Path, *, withheld: bool
) -> pd.DataFrame:
    """Every labelled frame of all parts, judged in every way."""
    tables = []
    for telescope in dict.fromkeys(part.telescope for part in parts):
        loaded = load_weights(ckpts.get(telescope, default))
        for part in parts:
            if part.telescope == telescope:
                print(f"judging {part.folder}", flush=True)
                tables.append(judge(part, loaded, work, parts=withheld))
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


def write(out: Path, table: pd.DataFrame, root: Path, title: str) -> None:
    """The page, the numbers, the list of errors and the pictures of them."""
    results: Results = {
        way: {str(name): numbers_of(own, way) for name, own in table.groupby("telescope")}
        for way in ways(table)
    }
    text = f"{title}\n\n{summary(results)}\n{per_telescope(results)}"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    out.with_suffix(".json").write_text(json.dumps(as_json(results), indent=1) + "\n")
    table.assign(causes=[" ".join(sorted(causes)) for causes in table["causes"]]).to_csv(
        out.with_suffix(".csv"), index=False
    )
    out.with_suffix(".wrong.md").write_text(wrong_section(table, root), encoding="utf-8")
    for telescope, own in table.groupby("telescope"):
        draw_wrong(own, out.with_suffix(f".{telescope}.png"))
    print(text)


def quick() -> None:
    """Two small simulated telescopes, one set of defects and one copy of each."""
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        for seed, name in enumerate(("first", "second")):
            quick_night(folder / "nights" / f"{name}_night", seed=seed)
        parts = make_parts(folder / "nights", folder, {}, kinds=["rotation"], seeds=1, alone=4)
        table = judge_all(parts, {}, "pretrained", folder, withheld=True)
        write(folder / "out.md", table, folder, "Small simulated nights.")


def pairs(items: Sequence[str]) -> dict[str, str]:
    """`A=B` arguments as a table."""
    return {name: value for name, _, value in (item.partition("=") for item in items)}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line in the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--nights", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--ckpt", default="pretrained")
    parser.add_argument("--ckpt-of", action="append", default=[], metavar="TELESCOPE=CKPT")
    parser.add_argument("--telescope", action="append", default=[], metavar="PREFIX=NAME")
    parser.add_argument("--only", action="append", default=[], metavar="TELESCOPE")
    parser.add_argument("--kind", action="append", default=[], metavar="COPY")
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.quick:
        quick()
        return
    if not (options.out and options.nights and options.work):
        parser.error("OUT.md, --nights DIR and --work DIR are needed")
    names = pairs(options.telescope)
    parts = make_parts(
        options.nights,
        options.work,
        names,
        only=options.only,
        kinds=options.kind,
        seeds=options.seeds,
    )
    table = judge_all(
        parts, pairs(options.ckpt_of), options.ckpt, options.work, withheld=options.parts
    )
    write(options.out, table, options.work, f"Weights: {options.ckpt} {options.ckpt_of or ''}")


if __name__ == "__main__":
    main()
