"""Bad input gives one line, quickly, and harms nothing. `make hard` asks six hundred cases, here are a hundred of them."""

from cases import run_cases

COUNT = 100


def test_bad_input_is_refused_in_one_line_and_harms_nothing(tmp_path):
    assert [f"{kind}: {what}: {bad}" for kind, what, bad in run_cases(COUNT, 0, tmp_path) if bad] == []
