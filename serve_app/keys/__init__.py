"""API keys: `lv_sk_<scope>_<26 random and 6 checksum characters>`, stored as SHA-256 only."""
