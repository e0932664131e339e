"""The local system as child processes: a database, a broker and the services."""
