"""The HTTP edge: authentication, routes, request and response schemas. The only part that imports FastAPI."""
