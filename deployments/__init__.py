"""What is applied to a Prefect server, and how a server is started on one machine."""
