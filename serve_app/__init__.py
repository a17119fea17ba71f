"""The product: interview screening over a REST API. Knows nothing of Ray or of any model library."""
