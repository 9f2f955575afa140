"""The door for programs: every answer and action of a served chain as JSON under /api/v1, described by OpenAPI."""
