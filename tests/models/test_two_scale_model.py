from __future__ import annotations

import time

import pytest
import torch

from nightsift.models.architectures.joint import JointFrameSeqModel
from nightsift.models.architectures.two_scale import BRANCHES, GAPS, TwoScaleModel
from nightsift.models.sequences import SEQUENCES

CAUSES = ["cloud", "trailing"]


def make(**changes: object) -> TwoScaleModel:
    torch.manual_seed(0)
    return TwoScaleModel(**{"features": 10, "causes": CAUSES, **changes}).eval()  # type: ignore[arg-type]


def data(n: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(n, 10 + GAPS, generator=generator)
    return torch.randn(n, 4, 64, 64, generator=generator), inputs


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_every_head_gives_a_logit(sequence):
    model, (frames, inputs) = make(sequence=sequence), data()
    embedding = model.encode(frames, inputs)
    windows = torch.tensor([[0, 0, 1], [0, 1, 2], [4, 5, 5]])
    assert model.classify_frames(embedding).shape == (6,)
    assert model.classify_causes(embedding).shape == (6, 2)
    assert model.classify_windows(embedding, windows).shape == (3, 3)


def test_without_causes_there_is_no_cause_head():
    model, (frames, inputs) = make(causes=[]), data()
    assert model.classify_causes(model.encode(frames, inputs)).shape == (6, 0)
    assert not any(key.startswith("cause_head") for key in model.state_dict())


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_step_sees_before_and_after(sequence):
    model, (frames, inputs) = make(sequence=sequence), data(9)
    embedding = model.encode(frames, inputs)
    windows = torch.arange(9)[None]
    before = model.classify_windows(embedding, windows)[0, 4]
    for end in (2, 6):
        changed = embedding.clone()
        changed[end] += 1
        assert not torch.isclose(model.classify_windows(changed, windows)[0, 4], before)


def test_a_frame_does_not_depend_on_its_batch():
    model, (frames, inputs) = make().train(), data()
    model.eval()
    together = model.encode(frames, inputs)
    alone = torch.cat([model.encode(frames[i : i + 1], inputs[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_missing_features_are_told_from_zeros():
    model, (frames, inputs) = make(), data()
    missing = inputs.clone()
    missing[:, :5] = torch.nan
    zero = torch.nan_to_num(missing)
    embeddings = [model.encode(frames, given) for given in (inputs, missing, zero)]
    assert all(torch.isfinite(embedding).all() for embedding in embeddings)
    assert not torch.allclose(embeddings[1], embeddings[2])
    model.encode(frames, torch.full_like(inputs, torch.nan))


def test_gaps_in_time_are_for_the_sequence_head_alone():
    model, (frames, inputs) = make(), data()
    later = inputs.clone()
    later[:, -1] += 2
    a, b = model.encode(frames, inputs), model.encode(frames, later)
    torch.testing.assert_close(model.classify_frames(a), model.classify_frames(b))
    windows = torch.arange(6)[None]
    assert not torch.allclose(
        model.classify_windows(a, windows), model.classify_windows(b, windows)
    )


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_withheld_branch_says_nothing(branch):
    model, (frames, inputs) = make(), data()
    whole = model.encode(frames, inputs)
    model.withheld = frozenset([branch])
    part = model.encode(frames, inputs)
    assert not torch.allclose(whole, part)
    other, none = (frames, inputs * 3) if branch == "features" else (frames * 3, inputs)
    other_embedding = model.encode(other, none)
    if branch == "features":
        torch.testing.assert_close(part[:, :-GAPS], other_embedding[:, :-GAPS])


def test_training_withholds_branches_and_features_at_random():
    model, (frames, inputs) = make(dropout=0.0).train(), data()
    assert not torch.allclose(model.encode(frames, inputs), model.encode(frames, inputs))


def test_the_weights_are_small_and_a_frame_costs_at_most_twice_the_published_network():
    ours = make(features=134, causes=["a"] * 9)
    size = sum(value.numel() * value.element_size() for value in ours.state_dict().values())
    assert size < 8e6
    published = JointFrameSeqModel().eval()
    frames, inputs = torch.randn(8, 4, 128, 128), torch.randn(8, 136)
    times = []
    with torch.inference_mode():
        for encode in (
            lambda: published.encode(frames[:, :1]),
            lambda: ours.encode(frames, inputs),
        ):
            encode()
            spent = []
            for _ in range(5):
                start = time.process_time()
                encode()
                spent.append(time.process_time() - start)
            times.append(min(spent))
    assert times[1] < 2 * times[0]


@pytest.mark.parametrize(
    "arguments",
    [{"features": 0}, {"field_width": 50}, {"sequence": "lstm"}, {"branch_dropout": 1.0}],
)
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="model"):
        make(**arguments)
