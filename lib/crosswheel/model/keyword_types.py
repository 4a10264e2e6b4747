"""The options of each verb as keyword arguments (PEP 692); `nox -s docs` writes this file from options.toml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Literal, TypeAlias, TypedDict

PathText: TypeAlias = "str | PathLike[str]"
Paths: TypeAlias = "PathText | Iterable[PathText]"
Texts: TypeAlias = "str | Sequence[str]"


class PlanOptions(TypedDict, total=False):
    arch: Texts | None
    python: Texts | None
    policy: str | None
    engine: str | None
    engines: Mapping[str, str] | None
    jobs: int | None
    output: PathText | None
    timeout: int | None
    download_python: Literal["auto", "never"] | None
    download_rust: Literal["auto", "never"] | None
    fail_fast: bool | None
    offline: bool | None
    fresh: bool | None
    twice: bool | None
    debug_info: bool | None
    strip: bool | None
    wider_tags: bool | None
    exclude: Texts | None
    sysroot: Mapping[str, PathText] | None
    docker_host: str | None
    container_host: Literal["auto", "docker", "podman", "namespace"] | None
    image: str | None
    images: Mapping[str, str | Mapping[str, str]] | None
    mirrors: Texts | None
    before_all: str | None
    before_build: str | None
    build_constraint: Paths | None
    test: Literal["auto", "never"] | None
    test_command: str | None
    test_requires: Texts | None
    test_constraint: Paths | None
    test_extras: Texts | None
    test_images: Texts | None
    test_environment: Mapping[str, str] | None
    test_sources: Texts | None
    before_test: str | None
    environment: Mapping[str, str] | None
    config_settings: Mapping[str, str | Sequence[str]] | None
    ignore: Mapping[str, str] | None
    dry_run: bool | None
    json: PathText | None
    scheduler: str | None
    certificates: PathText | None


class WheelsOptions(TypedDict, total=False):
    arch: Texts | None
    python: Texts | None
    policy: str | None
    engine: str | None
    engines: Mapping[str, str] | None
    jobs: int | None
    output: PathText | None
    timeout: int | None
    download_python: Literal["auto", "never"] | None
    download_rust: Literal["auto", "never"] | None
    fail_fast: bool | None
    offline: bool | None
    fresh: bool | None
    cache_size: int | None
    twice: bool | None
    debug_info: bool | None
    strip: bool | None
    wider_tags: bool | None
    exclude: Texts | None
    sysroot: Mapping[str, PathText] | None
    docker_host: str | None
    container_host: Literal["auto", "docker", "podman", "namespace"] | None
    image: str | None
    images: Mapping[str, str | Mapping[str, str]] | None
    mirrors: Texts | None
    before_all: str | None
    before_build: str | None
    build_constraint: Paths | None
    test: Literal["auto", "never"] | None
    test_command: str | None
    test_requires: Texts | None
    test_constraint: Paths | None
    test_extras: Texts | None
    test_images: Texts | None
    test_environment: Mapping[str, str] | None
    test_sources: Texts | None
    before_test: str | None
    environment: Mapping[str, str] | None
    config_settings: Mapping[str, str | Sequence[str]] | None
    ignore: Mapping[str, str] | None
    dry_run: bool | None
    json: PathText | None
    scheduler: str | None
    certificates: PathText | None


class AuditOptions(TypedDict, total=False):
    jobs: int | None
    exclude: Texts | None
    ignore: Mapping[str, str] | None
    json: PathText | None
    sarif: PathText | None


class CheckOptions(TypedDict, total=False):
    jobs: int | None
    exclude: Texts | None
    ignore: Mapping[str, str] | None
    json: PathText | None
    tag_format: str | None


class UploadOptions(TypedDict, total=False):
    jobs: int | None
    exclude: Texts | None
    ignore: Mapping[str, str] | None
    dry_run: bool | None
    json: PathText | None
    repository: str | None
    index: Mapping[str, str] | None
    sdist_first: bool | None
    allow_http: bool | None
    config_file: PathText | None
    patience: int | None


class VerifyOptions(TypedDict, total=False):
    jobs: int | None
    exclude: Texts | None
    ignore: Mapping[str, str] | None
    json: PathText | None
    repository: str | None
    index: Mapping[str, str] | None
    allow_http: bool | None
    config_file: PathText | None
    patience: int | None


class StatusOptions(TypedDict, total=False):
    jobs: int | None
    exclude: Texts | None
    ignore: Mapping[str, str] | None
    json: PathText | None
    repository: str | None
    index: Mapping[str, str] | None
    allow_http: bool | None
    config_file: PathText | None


class ReleaseOptions(TypedDict, total=False):
    jobs: int | None
    exclude: Texts | None
    ignore: Mapping[str, str] | None
    dry_run: bool | None
    repository: str | None
    staging: str | None
    yes: bool | None
    index: Mapping[str, str] | None
    sdist_first: bool | None
    allow_http: bool | None
    config_file: PathText | None
    patience: int | None
    tag_format: str | None
    changelog: PathText | None


class CiOptions(TypedDict, total=False):
    dry_run: bool | None
    json: PathText | None
    check: bool | None
    ci: Mapping[str, object] | None


class ReadinessOptions(TypedDict, total=False):
    python: Texts | None
    offline: bool | None
    json: PathText | None
    platforms: Texts | None
    compare: str | None
    advice: bool | None
    fail_on: Literal["missing", "impossible", "never"] | None
    constraint: Paths | None
    extra: Texts | None
    group: Texts | None
    markdown: PathText | None


class WheelhouseOptions(TypedDict, total=False):
    python: Texts | None
    policy: str | None
    engine: str | None
    engines: Mapping[str, str] | None
    jobs: int | None
    output: PathText | None
    timeout: int | None
    download_python: Literal["auto", "never"] | None
    offline: bool | None
    fresh: bool | None
    cache_size: int | None
    strip: bool | None
    exclude: Texts | None
    sysroot: Mapping[str, PathText] | None
    docker_host: str | None
    image: str | None
    images: Mapping[str, str | Mapping[str, str]] | None
    mirrors: Texts | None
    test: Literal["auto", "never"] | None
    ignore: Mapping[str, str] | None
    dry_run: bool | None
    json: PathText | None
    repository: str | None
    index: Mapping[str, str] | None
    allow_http: bool | None
    config_file: PathText | None
    patience: int | None
    platforms: Texts | None
    all: bool | None
    constraint: Paths | None
    extra: Texts | None
    group: Texts | None
    scheduler: str | None
    certificates: PathText | None


class ReportOptions(TypedDict, total=False):
    output: PathText | None
    page: PathText | None
    trace: PathText | None


class CondaOptions(TypedDict, total=False):
    jobs: int | None
    exclude: Texts | None
    ignore: Mapping[str, str] | None
    json: PathText | None
    channel: PathText | None


class AccelerateOptions(TypedDict, total=False):
    mirrors: Texts | None
    dry_run: bool | None
    json: PathText | None
    provider: str | None


class ShellOptions(TypedDict, total=False):
    engine: str | None
    engines: Mapping[str, str] | None
    timeout: int | None
    offline: bool | None
    debug_info: bool | None
    sysroot: Mapping[str, PathText] | None
    docker_host: str | None
    container_host: Literal["auto", "docker", "podman", "namespace"] | None
    image: str | None
    images: Mapping[str, str | Mapping[str, str]] | None
    mirrors: Texts | None
    before_all: str | None
    before_build: str | None
    build_constraint: Paths | None
    environment: Mapping[str, str] | None
    config_settings: Mapping[str, str | Sequence[str]] | None
    source: PathText | None


class WorkerOptions(TypedDict, total=False):
    jobs: int | None
    docker_host: str | None
    container_host: Literal["auto", "docker", "podman", "namespace"] | None
    certificates: PathText | None


class CertificatesOptions(TypedDict, total=False):
    certificates: PathText | None


class CacheOptions(TypedDict, total=False):
    cache_size: int | None
    trim: bool | None
    docker_host: str | None
    dry_run: bool | None
    json: PathText | None


class RegisterOptions(TypedDict, total=False):
    arch: Texts | None
    docker_host: str | None
    mirrors: Texts | None
    dry_run: bool | None
    json: PathText | None
    provider: str | None


class PullOptions(TypedDict, total=False):
    arch: Texts | None
    policy: str | None
    engines: Mapping[str, str] | None
    offline: bool | None
    docker_host: str | None
    image: str | None
    images: Mapping[str, str | Mapping[str, str]] | None
    mirrors: Texts | None
    unpacked: bool | None
    dry_run: bool | None
    json: PathText | None


class DoctorOptions(TypedDict, total=False):
    arch: Texts | None
    docker_host: str | None
    json: PathText | None
    fix: bool | None


class AllOptions(TypedDict, total=False):
    arch: Texts | None
    python: Texts | None
    policy: str | None
    engine: str | None
    engines: Mapping[str, str] | None
    jobs: int | None
    output: PathText | None
    timeout: int | None
    download_python: Literal["auto", "never"] | None
    download_rust: Literal["auto", "never"] | None
    fail_fast: bool | None
    offline: bool | None
    fresh: bool | None
    cache_size: int | None
    trim: bool | None
    twice: bool | None
    debug_info: bool | None
    strip: bool | None
    wider_tags: bool | None
    exclude: Texts | None
    sysroot: Mapping[str, PathText] | None
    docker_host: str | None
    container_host: Literal["auto", "docker", "podman", "namespace"] | None
    image: str | None
    images: Mapping[str, str | Mapping[str, str]] | None
    mirrors: Texts | None
    unpacked: bool | None
    before_all: str | None
    before_build: str | None
    build_constraint: Paths | None
    test: Literal["auto", "never"] | None
    test_command: str | None
    test_requires: Texts | None
    test_constraint: Paths | None
    test_extras: Texts | None
    test_images: Texts | None
    test_environment: Mapping[str, str] | None
    test_sources: Texts | None
    before_test: str | None
    environment: Mapping[str, str] | None
    config_settings: Mapping[str, str | Sequence[str]] | None
    ignore: Mapping[str, str] | None
    source: PathText | None
    dry_run: bool | None
    json: PathText | None
    sarif: PathText | None
    wheels: Paths | None
    channel: PathText | None
    repository: str | None
    staging: str | None
    yes: bool | None
    index: Mapping[str, str] | None
    sdist_first: bool | None
    allow_http: bool | None
    config_file: PathText | None
    patience: int | None
    tag_format: str | None
    changelog: PathText | None
    system: Literal["github", "gitlab", "circleci", "travis"] | None
    check: bool | None
    ci: Mapping[str, object] | None
    target: str | None
    command: str | None
    provider: str | None
    fix: bool | None
    requirements: Paths | None
    platforms: Texts | None
    compare: str | None
    advice: bool | None
    fail_on: Literal["missing", "impossible", "never"] | None
    all: bool | None
    constraint: Paths | None
    extra: Texts | None
    group: Texts | None
    markdown: PathText | None
    scheduler: str | None
    certificates: PathText | None
    reports: Paths | None
    page: PathText | None
    trace: PathText | None
