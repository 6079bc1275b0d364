"""What the paper downloads: tokenizer, decoder, judges and speaker encoder, behind one facade."""
