"""Beside the paper: listening test, consent, watermark, explorers. Only `cli` and `report` import it."""
