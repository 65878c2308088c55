"""The API described: OpenAPI for programs, and a page of ours made of it for people."""
