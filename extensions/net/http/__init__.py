"""HTTP/1.1: a strict, quick server in the running loop, and the payloads that it makes and takes.

`server.Server` listens, `exchange.Exchange` is one request to answer, `request.Request` its
payload, `limits.Limits` what is allowed. Nothing is imported here: `request` and what it stands on
are of use without a loop.
"""
