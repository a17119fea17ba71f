"""Credits: integer rows, never an edited balance."""
