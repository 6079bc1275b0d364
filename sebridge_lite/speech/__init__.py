"""The speech stack: tokens from sound, text to tokens, tokens to sound, and who judges it."""
