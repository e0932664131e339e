"""Page of operators: the processes of every service, what waits, and the jobs."""
