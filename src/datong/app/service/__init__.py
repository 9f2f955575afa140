"""Who may do what with a served chain: people, permissions, jobs, audit. Pages, API and others stand on it."""
