"""Bodies with hidden quantities, as in the published comparison of context encoders."""
