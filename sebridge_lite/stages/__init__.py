"""The top floor: the command line, and notebooks run as stages of the pipeline."""
