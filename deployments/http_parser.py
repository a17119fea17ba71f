"""Which parser Serve's HTTP servers use: h11.

A client may offer to upgrade a connection (`Connection: Upgrade`, `Upgrade: h2c`), as Java's HttpClient and
`curl --http2` do. A server that ignores the offer reads the body as usual (RFC 9110 §7.8). uvicorn's default parser,
httptools, drops the body of such a request; h11 reads it. Serve has no option for the parser.
"""

from uvicorn.config import HTTP_PROTOCOLS


def parse_with_h11() -> None:
    """Make servers that this process starts from now on use h11 where no parser is named."""
    HTTP_PROTOCOLS["auto"] = HTTP_PROTOCOLS["h11"]
