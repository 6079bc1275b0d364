"""What a policy scores: entropy, errors, prosody and the intervals around them. Numpy in, numbers out."""
