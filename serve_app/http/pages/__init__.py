"""Routes that answer HTML."""
