"""Storage: PostgreSQL holds all state, blobs hold inputs while jobs need them, Redis only wakes readers."""
