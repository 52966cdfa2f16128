"""What parties agree on before anything runs: the job, its signatures, and the record of both."""
