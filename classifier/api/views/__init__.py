"""The calls of the API. Each view checks what it was sent, calls one function, replies."""
