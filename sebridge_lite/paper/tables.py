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
}
FIGURES = {
    "figure1": "scaling",
    "figure4": "scaling",
    "predicted_peak": "erosion",
    "phase": "erosion",
    "worlds": "erosion",
    "table2": "erosion",
    "frontier": "dgsa",
    "figure6": "tdsc",
    "table4": "tdsc",
    "frontier10": "tdsc",
    "table5": "systems",
    "speakers": "systems",
}
SHOWN = (
    "world", "domain", "alpha", "arm", "variant", "line", "at", "modes", "measure", "temperature", "metric", "range",
    "engines", "dgsa", "wer", "wer_cal", "wer_tokens", "hp", "h_cond", "rep", "f0_std", "sim", "hp_gain", "f0_std_gain",
    "wer_cal_gain", "high_hp", "low_hp", "difference", "h_real", "h_syn", "alpha_star", "height", "peak", "observed",
    "predicted", "predicted_height", "lambda_e", "delta_hp", "paper", "k", "schedule", "filtered_wer", "relative",
    "pass_rate", "test_pass_rate", "contribution", "candidates_apart", "words_dropped", "rejected_wer",
    "rejected_repetition", "rejected_short", "rejected_long", "language", "condition", "sim_held", "ceiling",
    "floor", "above_floor", "to_ceiling", "f0_mean_gap", "attack", "n", "found", "rate", "unmarked", "alarms", "alarm_rate",
    "speech", "wer_marked", "cost", "heard", "sounds", "speakers", "eer",
)  # fmt: skip
# a stage without tables of its own: the stage whose tables it was run for
PART_OF = {"sft": "scaling", "worlds": "erosion", "pairs": "dgsa", "align": "dgsa", "critique": "tdsc"}
