"""The stages of the pipeline: each reads what earlier stages made and writes its own folder."""
