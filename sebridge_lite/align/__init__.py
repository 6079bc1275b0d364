"""Preference alignment (Sec. 3-4): the DPO loss, its weights, the pairs, and the steps that train on them."""
