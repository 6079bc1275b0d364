"""The studio world: words, tone rules, voices, rendering, corpora, and your own recordings."""
