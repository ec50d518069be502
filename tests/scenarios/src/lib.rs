//! Scenarios over the real binary and a real receiver; each file under `tests/` is one promise.
