"""The planner's pages, under /planner: they show what the service gives, and send what people do to it."""
