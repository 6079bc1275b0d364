import numpy as np
import pytest

from sebridge_lite.measure.prosody import _shape, describe, f0_match, speech_frames, time_alignment


def speech(seed: int = 0, frames: int = 80):
    """A log-mel that wanders like speech (T, 80), and an F0 (T,) that rises and falls with a gap in its middle."""
    rng = np.random.default_rng(seed)
    shapes = np.repeat(rng.normal(size=(frames // 8, 80)).cumsum(1), 8, axis=0)
    mel = shapes + 0.1 * rng.normal(size=(frames, 80))
    f0 = 150 * 2 ** (np.sin(np.arange(frames) / 9) / 4)
    f0[frames // 2 : frames // 2 + 5] = 0
    return mel, f0


def slower_inside(frames: int) -> np.ndarray:
    """Frames of an utterance whose second quarter is spoken three times as slowly."""
    repeats = np.ones(frames, dtype=int)
    repeats[frames // 4 : frames // 2] = 3
    return np.repeat(np.arange(frames), repeats)


def test_spread_of_pitch_by_hand():
    """100 and 200 Hz in equal parts, an octave: 12 semitones apart, so a standard deviation of 6 (50 Hz)."""
    f0 = np.array([0, *[100, 200] * 10, 0], dtype=float)
    found = describe(f0, np.full(22, -20.0), syllables=4)
    assert (found.f0_std_st, found.f0_range_st, found.f0_std_hz, found.f0_range_hz) == pytest.approx((6, 12, 50, 100))
    assert found.energy_std_db == 0


def test_semitones_do_not_depend_on_the_unit_and_need_100_ms_of_voice():
    f0, energy = np.array([1.0, 2.0, 1.0, 2.0, 1.0]), np.arange(5.0)
    assert describe(f0, energy, np.nan)[:2] == pytest.approx(describe(100 * f0, energy, np.nan)[:2])
    assert np.isnan(describe(np.append(f0[1:], 0), energy, 1)[:5]).all()
    assert describe(f0, energy, 1).energy_std_db == pytest.approx(2**0.5)
    pairs = np.stack([np.arange(5)] * 2, axis=1)
    hyp = np.array([1.0, 4.0, 2.0, 2.0, 1.0])  # 0, 12, 12, 0 and 0 semitones apart; 0, 2, 1, 0 and 0 Hz
    match = f0_match(f0, hyp, pairs)
    assert (match.rmse_st, match.rmse_hz) == pytest.approx((12 * 0.4**0.5, 1))
    assert match.corr == pytest.approx(np.corrcoef([0, 1, 0, 1, 0], [0, 2, 1, 1, 0])[0, 1])
    assert np.isnan(f0_match(f0, hyp, pairs[1:])).all() and np.isnan(f0_match(0 * f0 + 2, hyp, pairs).corr)


def test_rate_does_not_count_silence_around_the_speech():
    """5 syllables in 50 frames, 1 s; 35 dB under the loud frames silence begins."""
    energy = np.concatenate([np.full(20, -55.4), [-54.6], np.full(48, -20.0), [-54.6], np.full(30, -55.4)])
    assert speech_frames(energy) == slice(20, 70)
    assert describe(np.zeros(100), energy, syllables=5).rate == pytest.approx(5)


def test_an_utterance_aligns_with_itself_on_the_diagonal():
    mel, f0 = speech()
    pairs = time_alignment(mel, mel)
    assert np.array_equal(pairs[:, 0], pairs[:, 1])
    match = f0_match(f0, f0, pairs)
    assert (match.corr, match.rmse_st, match.rmse_hz) == pytest.approx((1, 0, 0))


def test_alignment_is_monotone_covers_every_frame_and_costs_no_more_than_a_brute_force():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(7, 80)), rng.normal(size=(9, 80))
    pairs = time_alignment(a, b)
    assert set(map(tuple, np.diff(pairs, axis=0))) <= {(0, 1), (1, 0), (1, 1)}
    assert tuple(pairs[0]) == (0, 0) and tuple(pairs[-1]) == (6, 8)
    cost = np.linalg.norm(_shape(a)[:, None] - _shape(b)[None], axis=-1)
    best = np.full((8, 10), np.inf)
    best[0, 0] = 0
    for i in range(7):
        for j in range(9):
            best[i + 1, j + 1] = cost[i, j] + min(best[i, j], best[i, j + 1], best[i + 1, j])
    assert cost[pairs[:, 0], pairs[:, 1]].sum() == pytest.approx(best[-1, -1])


def test_warping_undoes_a_change_of_pace_inside_that_stretching_does_not():
    mel, f0 = speech()
    slow = slower_inside(len(f0))
    warped = f0_match(f0, f0[slow], time_alignment(mel, mel[slow]))
    line = np.stack([np.rint(np.linspace(0, len(f0) - 1, len(slow))).astype(int), np.arange(len(slow))], axis=1)
    stretched = f0_match(f0, f0[slow], line)
    assert warped.corr > 0.95 and stretched.corr < 0.85
    assert warped.rmse_st < stretched.rmse_st / 2


def test_melody_error_by_hand():
    """Six frames right and six an octave up: the median difference is 6 semitones, and each frame is 6 off."""
    ref, hyp = np.full(12, 100.0), np.array([100.0, 200.0] * 6)
    assert f0_match(ref, hyp, np.stack([np.arange(12)] * 2, axis=1)).rmse_st == pytest.approx(6)
