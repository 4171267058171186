//! Rounds as records of an append-only file, for a directory on Node: bytes in, bytes out.
