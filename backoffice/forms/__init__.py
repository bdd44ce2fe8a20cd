"""What staff type in. Forms read texts into values; whether those may be, the verbs decide."""
