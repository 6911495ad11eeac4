"""OpenAPI: what the requests of a flow are, told in a document and on a page."""
