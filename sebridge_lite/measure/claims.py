"""Every claim: what it says, what the paper prints for it, which table of ours shows it, and what it is judged by.

The conditions of a claim are a line of text, `WHAT: WISH WISH ...; WHAT: WISH ...`. WHAT names an effect, such as
`dgsa - sft`; a wish is a measure with the sign that its effect should have (`+hp`), or after `!` the sign of a loss that
must stay below the smallest effect (`!+wer_cal`). The first condition is the claim's headline. `verdicts` reads and judges
them. Left out: listening scores, for which nothing here stands in.
"""

from typing import NamedTuple


class Statement(NamedTuple):
    claim: str
    paper: str  # what it prints
    table: str  # ours, below results/
    conditions: str


CLAIMS = {
    "C1": Statement(
        "WER falls monotonically as synthetic speech is added (Sec. 2)",
        "75.0 % at alpha = 3 %, 36.2 % at 100 % (Table 1)", "scaling/table1",
        "last - first: -wer; order of wer over alpha: -rank",
    ),
    "C2": Statement(
        "Hp has a maximum inside, near alpha = 50 % (Sec. 2, Eq. 5)",
        "10.42 bits at 3 %, 10.51 at 50 %, 10.21 at 100 % (Table 1)", "scaling/table1",
        "best inside - better end: +hp",
    ),
    "C3": Statement(
        "Repetition surges at alpha of 80 to 100 % (Sec. 2)",
        "2.0 % at 67 %, 6.5 % at 80 %, 9.8 % at 100 % (Table 1)", "scaling/table1",
        "80 to 100 % - 40 to 67 %: +rep",
    ),
    "C4": Statement(
        "Expressivity falls beyond alpha* (Sec. 2)",
        "Hp 10.51 bits at 50 %, 10.21 at 100 % (Table 1)", "scaling/table1",
        "100 % - 40 to 50 %: -f0_std -f0_range -h_cond",
    ),
    "C5": Statement(
        "Pure synthetic speech is worst in expressivity and best in WER (Sec. 5.2)",
        "lowest Hp and lowest WER of Table 1 at 100 %", "scaling/table1",
        "next lowest - 100 %: +f0_std +h_cond +wer",
    ),
    "C6": Statement(
        "Hp tracks expressivity over alpha (Sec. 5.2)", "Hp and NMOS turn together (Fig. 1)", "scaling/table1",
        "hp with f0_std: +correlation; hp with h_cond: +correlation",
    ),
    "C7": Statement(
        "Speaker similarity falls with alpha (SMOS, Sec. 2)", "SMOS 4.63 at its best to 3.01 (Table 1)", "scaling/table1",
        "last - first: -sim",
    ),
    "C8": Statement(
        "At equal WER and equal length, samples of high Hp have richer F0 and energy (Sec. 5.2)",
        "F0 std 42.6 against 35.8 Hz, at equal WER (Table 2)", "erosion/table2_length",
        "high Hp - low Hp: +f0_std +f0_range +f0_corr -f0_rmse +energy_std",
    ),
    "D1": Statement(
        "DGSA raises expressivity over SFT at no loss of WER (Sec. 5.3)",
        "Hp 10.36 to 10.52, WER 38.9 % (Table 3)", "dgsa/table3",
        "dgsa - sft: +hp +h_cond +f0_std !+wer_cal",
    ),
    "D2": Statement(
        "Standard DPO raises expressivity and costs WER (Sec. 5.3)", "Hp 10.49 bits, WER 45.2 % (Table 3)", "dgsa/table3",
        "dpo - sft: +hp +f0_std +wer_cal",
    ),
    "D3": Statement(
        "Rejection sampling gives little (Sec. 5.3)", "Hp 10.41 bits, WER 40.5 % (Table 3)", "dgsa/table3",
        "rejection - sft: !+hp !+f0_std !-wer_cal",
    ),
    "D4": Statement(
        "Without the expressivity objective speech stays flat (Sec. 5.3)", "Hp 10.38 bits (Table 7)", "dgsa/table7",
        "dgsa - no-expr: +hp +f0_std; no-expr - sft: !+hp !+f0_std",
    ),
    "D5": Statement(
        "Without the stability objective WER rises (Sec. 5.3)", "WER 38.9 to 46.5 % (Table 7)", "dgsa/table7",
        "no-stab - dgsa: +wer_cal",
    ),
    "D6": Statement(
        "Pairs of random speakers hurt both (Sec. 5.3)", "Hp 10.41 bits, WER 42.8 % (Table 7)", "dgsa/table7",
        "random-speaker - dgsa: -hp +wer_cal",
    ),
    "D7": Statement(
        "Dynamic weights beat fixed ones (Sec. 5.3)", "fixed: Hp 10.45 bits, WER 40.2 % (Table 7)", "dgsa/table7",
        "dgsa - fixed: +hp !+wer_cal",
    ),
    "D8": Statement(
        "DGSA's gain of Hp grows with alpha beyond alpha* (Sec. 5.3)",
        "0.02 at 67 %, 0.16 bit at 80 % (Fig. 5)", "dgsa/figure5",
        "growth from alpha* on: +hp",
    ),
    "D9": Statement(
        "DGSA beats SFT continued on y_real (ours)", "no such control", "dgsa/table3",
        "dgsa - sft-real: +hp +f0_std !+wer_cal",
    ),
    "T1": Statement(
        "TDSC lowers WER (Sec. 5.4)", "WER 38.5 to 29.8 % (Table 4)", "tdsc/table4", "tdsc - sft: -wer_cal"
    ),
    "T2": Statement(
        "TDSC lowers repetition (Sec. 5.4)", "repetition 7.62 to 4.15 % (Table 4)", "tdsc/table4", "tdsc - sft: -rep"
    ),
    "T3": Statement(
        "TDSC raises Hp over SFT (Sec. 5.4)", "Hp 10.08 to 10.42 bits (Table 4)", "tdsc/table4", "tdsc - sft: +hp"
    ),
    "T4": Statement(
        "TDSC beats self-training (Sec. 5.4)", "WER 35.2 %, Hp 10.15 bits (Table 4)", "tdsc/table4",
        "tdsc - self-training: -wer_cal !-hp",
    ),
    "T5": Statement(
        "TDSC beats rejection sampling (Sec. 5.4)", "WER 36.8 %, Hp 10.11 bits (Table 4)", "tdsc/table4",
        "tdsc - rejection: -wer_cal !-hp",
    ),
    "T6": Statement(
        "The pass rate rises over iterations (Sec. 5.4)", "23 to 62 % (Fig. 6)", "tdsc/passes", "rise: +pass_rate"
    ),
    "T7": Statement(
        "Low temperature gives stability, high expressivity, and both add to G (Sec. 5.4)",
        "WER 26.8 / 32.4 / 41.6 %, Hp 9.85 / 10.38 / 10.82 bits, 42 / 35 / 23 % of G (Table 9)", "tdsc/table9",
        "hotter - colder: +wer +hp; G from cold and hot: +share",
    ),
    "T8": Statement(
        "Without DPO both are worse (Table 8)", "WER 35.8 %, Hp 10.21 bits (Table 8)", "tdsc/table8",
        "no-dpo - tdsc: +wer_cal -hp",
    ),
    "T9": Statement(
        "With T = 1 alone both are worse (Table 8)", "WER 34.1 %, Hp 10.05 bits (Table 8)", "tdsc/table8",
        "t1-only - tdsc: +wer_cal -hp",
    ),
    "T10": Statement(
        "Without the length filter both are worse (Table 8)", "WER 33.5 %, Hp 10.35 bits (Table 8)", "tdsc/table8",
        "no-length - tdsc: +wer_cal -hp",
    ),
    "T11": Statement(
        "With a fixed Tmax both are worse (Table 8)", "WER 32.6 %, Hp 10.18 bits (Table 8)", "tdsc/table8",
        "fixed-tmax - tdsc: +wer_cal -hp",
    ),
    "T12": Statement(
        "Without the repetition filter both are worse (Table 8)", "WER 31.2 %, Hp 10.28 bits (Table 8)", "tdsc/table8",
        "no-repetition - tdsc: +wer_cal -hp",
    ),
    "T13": Statement(
        "The gain survives on unfiltered samples by a judge that never selected, outside the start's curve (ours)",
        "its final figures equal those of its filtered set (Table 9)", "tdsc/frontier10",
        "tdsc - sft: -wer_cal; tdsc at its best T - sft: -wer_cal +hp",
    ),
    "S1": Statement(
        "Aligned policies beat their SFT on both tasks (Sec. 5.5)", "WER lo 38.5 to 29.8 % (Table 4)", "systems/table5",
        "tts th dgsa - sft: +f0_std +hp !+wer_cal; tts lo tdsc - start: -wer_cal +hp; "
        "cloning th dgsa - sft: +f0_std !+wer; cloning lo tdsc - start: -wer; "
        "cloning th dgsa - sft: !-sim; cloning lo tdsc - start: !-sim",
    ),
    "S2": Statement(
        "Cloning keeps the speaker's identity (Sec. 5.5)",
        "SIM th 0.84, lo 0.81 (Table 6); no floor, no ceiling", "systems/table6",
        "cloning th dgsa: sim - floor: +sim; cloning th dgsa: sim_held - floor: +sim; "
        "cloning lo tdsc: sim - floor: +sim; cloning lo tdsc: sim_held - floor: +sim",
    ),
    "S3": Statement(
        "Lao cloning works without any real Lao speech (Sec. 5.5)", "WER 29.8 %, SIM 0.81 (Table 6)", "systems/table6",
        "cloning lo tdsc, Thai voice: sim - floor: +sim; cloning lo tdsc, Thai voice: sim_held - floor: +sim; "
        "cloning lo tdsc, Thai voice - lo tdsc, standard: !+wer",
    ),
}  # fmt: skip


def claims_of(letter: str) -> list[str]:
    """The claims of a study: C scaling, D DGSA, T TDSC, S systems and cloning."""
    return [id for id in CLAIMS if id[0] == letter]
