"""Utterances, manifests, recordings of your own, mixing: whatever comes before any model."""
