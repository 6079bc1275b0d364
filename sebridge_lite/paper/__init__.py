"""The paper's printed numbers, and tables and figures that set ours beside them."""
