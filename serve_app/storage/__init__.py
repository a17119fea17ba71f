"""Where things are kept: PostgreSQL is the truth, blobs hold inputs while they are needed, Redis only wakes readers."""
