"""Routes of `/v1`, one file per noun."""
