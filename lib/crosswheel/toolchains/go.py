"""Configures Go for a target: it would build for this machine, and without C when it builds for another."""

from __future__ import annotations

from crosswheel.model.targets import Architecture


def go_environ(arch: Architecture) -> dict[str, str]:
    """Environment variables of the go command (``go help environment``); it calls CC for cgo.

    A platform of OCI images has Go's names (image-spec, "config.md"): ``linux/arm/v7`` is GOOS, GOARCH and GOARM.
    """
    system, name, *variant = arch.oci.split("/")
    version = {"GOARM": variant[0].removeprefix("v")} if variant else {}
    return {"GOOS": system, "GOARCH": name, **version, "CGO_ENABLED": "1"}
