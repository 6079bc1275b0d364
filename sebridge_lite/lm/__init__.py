"""The text-speech LM: layout, sampling, fine-tuning, and the one training loop."""
