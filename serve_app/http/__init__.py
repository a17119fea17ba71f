"""The HTTP edge: routes, who may call them, what they take and answer. The only part that knows FastAPI."""
