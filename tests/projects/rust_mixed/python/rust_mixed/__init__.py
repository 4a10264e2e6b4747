from rust_mixed._core import double  # type: ignore[import-not-found]  # in Rust

__all__ = ["double"]
