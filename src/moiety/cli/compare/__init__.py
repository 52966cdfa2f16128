"""`moiety compare`: one task by every way, run for real, and what each costs, needs and leaks."""
