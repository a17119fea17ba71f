"""Credits: a ledger of integer movements. The balance is their sum."""
