"""Arithmetic on sound that several backends share."""
