"""One replica of one model: its calls, its weights, its memory, its reports."""
