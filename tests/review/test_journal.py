from __future__ import annotations

import json

import pytest

from nightsift.review.journal import Decision, Entry, Journal, replay

BLANK, BAD, GOOD = Entry(), Entry("bad", "", "t1"), Entry("good", "", "t2")


def decision(before, after, name="f.fits"):
    return Decision(name, before, after)


@pytest.mark.parametrize("after", [None, BLANK, Entry("bad", 'a "q",\nline — ü', "2025-01-01")])
def test_a_decision_survives_its_line(after):
    made = decision(GOOD, after, "näme,1.fits")
    assert made.to_line().count(b"\n") == 1
    assert Decision.from_line(made.to_line()) == made


def test_what_is_appended_is_read_and_dropped(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.append([decision(None, BAD), decision(BAD, GOOD)])
    found, size = journal.read()
    assert found == [decision(None, BAD), decision(BAD, GOOD)]
    journal.append([decision(GOOD, None)])
    journal.drop(size)
    assert journal.read()[0] == [decision(GOOD, None)]
    journal.drop(journal.read()[1], keep=found[:1])
    assert journal.read()[0] == found[:1]
    journal.drop(journal.read()[1])
    assert not journal.path.exists()


def test_a_torn_line_costs_itself_only(tmp_path, caplog):
    journal = Journal(tmp_path / "j")
    journal.append([decision(None, BAD)])
    with journal.path.open("ab") as stream:
        stream.write(decision(None, GOOD, "torn.fits").to_line()[:20])
    journal.append([decision(None, GOOD, "next.fits")])
    assert [d.name for d in journal.read()[0]] == ["f.fits", "next.fits"]
    assert "damaged line" in caplog.text


@pytest.mark.parametrize(
    "line",
    [b"{}", b"[1]", b'[2,"a",null,null]', b'[1,"a",["x"],5]', b'[1,"a",[1,2,3],null]', b"\xff"],
)
def test_a_line_that_is_no_decision_is_refused(line):
    with pytest.raises(ValueError, match=r"."):
        Decision.from_line(line)


def test_an_append_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "j")
    journal.append([decision(None, BAD)])
    before = journal.path.read_bytes()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nightsift.review.journal.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        journal.append([decision(BAD, GOOD)])
    assert journal.path.read_bytes() == before


# Rows: decisions on one frame, what the table says, what it must say then, conflict or not.
CHAIN = [decision(None, BAD), decision(BAD, GOOD), decision(GOOD, BAD)]


@pytest.mark.parametrize(
    ("decisions", "current", "entry", "conflict"),
    [
        pytest.param([decision(None, BAD)], None, BAD, False, id="new row"),
        pytest.param([decision(BLANK, BAD)], None, BAD, False, id="row vanished, was blank"),
        *(pytest.param(CHAIN, now, BAD, False, id=f"killed at {now}") for now in (None, BAD, GOOD)),
        pytest.param([decision(None, BAD)], GOOD, GOOD, True, id="somebody said good"),
        pytest.param([decision(None, BAD)], BAD._replace(timestamp="x"), BAD, False, id="agreed"),
        pytest.param(
            [decision(None, BAD), decision(GOOD, BAD)], GOOD, BAD, False, id="settled by a person"
        ),
        pytest.param(
            [decision(None, BAD), decision(BAD, None)], GOOD, GOOD, False, id="undone, so no wish"
        ),
        pytest.param([decision(BAD, None)], BAD, None, False, id="row taken back"),
        pytest.param(
            [decision(Entry("", "a", ""), Entry("bad", "a", "t1"))],
            Entry("", "b", ""),
            Entry("bad", "b", "t1"),
            False,
            id="label here, note there",
        ),
        pytest.param(
            [decision(Entry("", "", ""), Entry("", "cloud", ""))],
            Entry("good", "", "t9"),
            Entry("good", "cloud", ""),
            False,
            id="note here, label there",
        ),
    ],
)
def test_replay(decisions, current, entry, conflict):
    outcome = replay(decisions, current)
    if entry is not None and outcome.entry is not None:
        assert outcome.entry[:2] == entry[:2]
    else:
        assert outcome.entry == entry
    assert bool(outcome.refused) == conflict


def test_a_note_written_over_a_judgement_keeps_its_time():
    outcome = replay([decision(BLANK, Entry("", "cloud", ""))], Entry("good", "", "t9"))
    assert outcome.entry == Entry("good", "cloud", "t9")


def test_replay_twice_changes_nothing():
    for now in (None, BAD, GOOD, Entry("marginal", "x", "")):
        once = replay(CHAIN, now).entry
        assert replay(CHAIN, once).entry == once


def test_lines_are_plain_json():
    assert json.loads(decision(None, BAD).to_line()) == [1, "f.fits", None, ["bad", "", "t1"]]
