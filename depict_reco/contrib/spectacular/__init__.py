"""OpenAPI: what drf-spectacular cannot see by itself, and the pages that show the document."""
