"""Tests of the evaluation: figures on numbers that the tests choose."""
