"""People: who has an account, and what each may do."""
