"""Shell that finds shared libraries in a container, and the packages that own them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crosswheel.formats.packages import Package, parsed_package

# Links are followed, for the engine copies a link as a link. Where /lib leads to /usr/lib, packages use either name.
_SCRIPT = r"""
folders=$(@folders@)
distribution=$(. /etc/os-release 2>/dev/null && echo "$ID")
owner() {
  for path in "$1" "${1#/usr}"; do
    if command -v rpm >/dev/null; then
      rpm -qf --queryformat "rpm $distribution %{NAME} %{VERSION}-%{RELEASE} %{ARCH}\n" "$path" && return
    elif command -v dpkg-query >/dev/null; then
      package=$(dpkg-query -S "$path") && package=${package%%: *} && package=${package%%, *} &&
        dpkg-query -W -f "deb $distribution \${Package} \${Version} \${Architecture}\n" "$package" && return
    elif command -v apk >/dev/null; then
      package=$(apk info -W "$path") && package=${package##* } && version=${package#"${package%-*-r*}"-} &&
        echo "apk $distribution ${package%-"$version"} $version $(apk --print-arch)" && return
    fi
  done 2>/dev/null
}
for name do
  for folder in $folders; do
    if [ -f "$folder/$name" ]; then
      path=$(readlink -f "$folder/$name")
      printf '%s\t%s\t%s\n' "$name" "$path" "$(owner "$path" | head -n 1)"
      break
    fi
  done
done
"""


def search_command(names: Sequence[str], folders: str) -> list[str]:
    """A command that looks for libraries of these names; `folders` is shell that prints where to look."""
    return ["sh", "-c", _SCRIPT.replace("@folders@", folders), "sh", *names]


def found_libraries(output: str) -> Iterator[tuple[str, str, Package | None]]:
    """Name, path in the container and owner of each library, from what the command printed.

    A build was root there: anything may be in the output.
    """
    for line in output.splitlines():
        name, _, rest = line.partition("\t")
        path, _, owner = rest.partition("\t")
        if path:
            yield name, path, parsed_package(owner)
