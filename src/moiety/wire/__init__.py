"""Bytes between parties: framed, counted, hashed, authenticated by TLS 1.3, and watched.

Read in this order: `frame` (16 bytes before every payload), `writer` and `reader` (frames to bytes
and back), `transport` (what carries bytes), `line` (frames both ways at once), `channel` (the
conversation with one peer), `watch` (who is still alive), `certificates`, `secure` and `tls` (who
is at the other end), `plain` and `emulator` (tests and benches).
"""
