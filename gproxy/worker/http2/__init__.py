"""HTTP/2 towards clients (RFC 9113), framed by the h2 library.

A *session* is one connection. Each of its *streams* stands where a client connection stands for an exchange of
HTTP/1.1, so that one story serves both: it reads a body, and it turns what is sent to it into frames.
"""
