"""Measures the assessment: ranking of graded answers, resistance to spoken attacks, equal scores for equal answers."""
