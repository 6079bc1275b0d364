"""Which stage makes which table and figure of the summary, and which columns people are shown.

Left out: what the paper prints in them (`published`), and how they are drawn.
"""

# table: (stage, what it is)
TABLES = {
    "table1": ("scaling", "Table 1: synthetic speech added to a fixed amount of real speech"),
    "substitution": ("scaling", "Ours: the same seconds for every alpha"),
    "simple_answers": ("scaling", "Ours: simple answers at alpha = 0.80"),
    "table2": ("erosion", "Table 2: samples of one text with equal word error, by their Hp"),
    "table2_length": ("erosion", "Ours: the same with equal length"),
    "phase": ("erosion", "Ours: where the entropy of two corpora peaks"),
    "worlds": ("erosion", "Ours: policies of worlds with other engines or other texts (word error of tokens)"),
    "worlds_peak": ("erosion", "Ours: whether Hp peaks there, and where the corpora say it should"),
    "finding": ("dgsa", "Ours: DGSA against SFT continued on y_real"),
    "table3": ("dgsa", "Table 3: alignment at alpha = 0.80"),
    "table7": ("dgsa", "Table 7: DGSA without its parts, and in other forms"),
    "figure5": ("dgsa", "Fig. 5: what DGSA changes at each alpha"),
    "frontier": ("dgsa", "Ours: word error against expressivity"),
    "premise": ("dgsa", "Ours: what y_real, y_expr and y_stab are"),
    "table4": ("tdsc", "Table 4: without real speech, on unfiltered samples"),
    "table8": ("tdsc", "Table 8: TDSC without its parts"),
    "table9": ("tdsc", "Table 9: what each temperature gives, by iteration and schedule"),
    "figure6": ("tdsc", "Fig. 6: TDSC after each iteration"),
    "frontier10": ("tdsc", "Ours: word error against expressivity over temperatures, without real speech"),
    "table5": ("systems", "Table 5: every system that runs here, and recordings"),
    "table6": ("systems", "Table 6: people never seen, cloned"),
    "marks": ("systems", "Ours: the mark of generated speech, in short cuts, after what happens to files"),
    "mark_cost": ("systems", "Ours: what the mark costs in words"),
    "detector": ("systems", "Ours: clones told from recordings without the mark, of people not heard before"),
    "passes": ("tdsc", "Ours: what passes, and why the rest does not"),
    "confirm_systems": ("confirm", "Ours: the main systems once more, on texts that nobody had looked at"),
    "confirm": ("confirm", "Ours: what the claims ask, on those texts"),
    "conditions_dgsa": ("dgsa", "Claims D1 to D9: every condition"),
    "conditions_tdsc": ("tdsc", "Claims T1 to T13: every condition"),
    "conditions_systems": ("systems", "Claims S1 to S3: every condition"),
}
# the file of a table, where it is not NAME.csv
FILES = {"conditions_dgsa": "conditions", "conditions_tdsc": "conditions", "conditions_systems": "conditions"}
# figure: (stage, the table with its numbers, what it shows)
FIGURES = {
    "figure1": (
        "scaling",
        "table1",
        "Five measures over alpha, ours in green with 95 % bands and the paper's in grey on axes of their own: "
        "word error, Hp, repetition, F0 std beside NMOS, speaker similarity beside SMOS.",
    ),
    "figure4": (
        "scaling",
        "table1",
        "Word error, Hp and repetition over alpha, the paper's above and ours below, with the paper's three "
        "regions shaded: up to alpha* = 0.5, up to 0.8, and beyond.",
    ),
    "predicted_peak": (
        "erosion",
        "phase",
        "Entropy of the mixture of both corpora over alpha, with the predicted peak, and Hp of what the policies "
        "generate, with its interval.",
    ),
    "phase": (
        "erosion",
        "phase",
        "Where the entropy of a mixture of two corpora peaks, for each pitch range and number of engines, with "
        "intervals.",
    ),
    "worlds": (
        "erosion",
        "worlds",
        "Hp over alpha of policies of six worlds, each with the peak that its corpora predict.",
    ),
    "table2": (
        "erosion",
        "table2",
        "Differences between samples of high and of low Hp of one text, with equal word error and with equal "
        "length as well, each with its interval, beside the paper's.",
    ),
    "frontier": (
        "dgsa",
        "frontier",
        "Calibrated word error over Hp, left, and over F0 std, right, for each aligned system with 95 % intervals "
        "and lines over temperatures; stars are recordings of people and of engines.",
    ),
    "figure5": (
        "dgsa",
        "figure5",
        "What DGSA changes in Hp at each alpha, ours with intervals beside the paper's, and the two weights of "
        "its loss.",
    ),
    "figure6": (
        "tdsc",
        "figure6",
        "Word error, Hp and pass rate after each iteration, ours with intervals beside the paper's.",
    ),
    "table4": (
        "tdsc",
        "table4",
        "Change of word error, Hp and F0 std of each system without real speech, with intervals.",
    ),
    "frontier10": (
        "tdsc",
        "frontier10",
        "Calibrated word error over Hp, left, and over F0 std, right: lines over temperatures of the start and of "
        "each system; stars are recordings of people and of engines.",
    ),
    "table5": (
        "systems",
        "table5",
        "Word error and F0 std of every system that runs here and of recordings, a row a system, with intervals.",
    ),
    "speakers": (
        "systems",
        "table6",
        "Similarity to the reference of each person cloned, between the floor of other speakers and the ceiling "
        "of the person's own recordings.",
    ),
}
SHOWN = (
    "id", "what", "language", "world", "domain", "alpha", "arm", "variant", "line", "at", "modes", "measure", "temperature",
    "metric", "range", "engines", "dgsa", "wer", "wer_cal", "wer_tokens", "hp", "h_cond", "rep", "f0_std", "sim", "hp_gain",
    "f0_std_gain", "wer_cal_gain", "high_hp", "low_hp", "difference", "h_real", "h_syn", "alpha_star", "height", "peak",
    "observed", "predicted", "predicted_height", "lambda_e", "delta_hp", "paper", "k", "schedule", "filtered_wer", "relative",
    "pass_rate", "test_pass_rate", "contribution", "candidates_apart", "words_dropped", "rejected_wer",
    "rejected_repetition", "rejected_short", "rejected_long", "condition", "sim_held", "ceiling",
    "floor", "above_floor", "to_ceiling", "f0_mean_gap", "attack", "n", "found", "rate", "unmarked", "alarms", "alarm_rate",
    "speech", "wer_marked", "cost", "heard", "sounds", "speakers", "eer",
    "wanted", "effect", "verdict",
)  # fmt: skip
# a stage without tables of its own: the stage whose tables it was run for
PART_OF = {"sft": "scaling", "worlds": "erosion", "pairs": "dgsa", "align": "dgsa", "critique": "tdsc"}
