from __future__ import annotations

import io
import json
import tarfile

import pytest
from elftools.elf.elffile import ELFFile

from crosswheel.containers.emulation import Running, image_archive, program
from crosswheel.model.targets import Architecture, architectures, load_table

ARCHITECTURES = pytest.mark.parametrize("arch", architectures().values(), ids=str)


@ARCHITECTURES
def test_the_program_is_an_executable_of_its_architecture(arch: Architecture) -> None:
    elf = ELFFile(io.BytesIO(program(arch)))
    header = elf.header
    assert (header["e_type"], header["e_machine"]) == ("ET_EXEC", arch.machine)
    assert (elf.elfclass, elf.little_endian) == (arch.bits, arch.byteorder == "little")
    assert header["e_flags"] == load_table("targets.toml")["arch"][arch.name].get("elf-flags", 0)
    assert len(program(arch)) < 150


@ARCHITECTURES
def test_its_one_segment_is_the_file_and_begins_with_the_first_instruction(arch: Architecture) -> None:
    data = program(arch)
    elf = ELFFile(io.BytesIO(data))
    (segment,) = elf.iter_segments()
    assert (segment["p_type"], segment["p_flags"]) == ("PT_LOAD", 5)
    assert (segment["p_offset"], segment["p_filesz"], segment["p_memsz"]) == (0, len(data), len(data))
    assert segment["p_vaddr"] % segment["p_align"] == 0
    code = bytes.fromhex(load_table("targets.toml")["arch"][arch.name]["exit-42"])
    assert data[elf.header["e_entry"] - segment["p_vaddr"] :] == code


@ARCHITECTURES
def test_the_image_is_of_the_platform_and_always_the_same(arch: Architecture) -> None:
    archive = image_archive(arch, "some/name:tag")
    assert archive == image_archive(arch, "some/name:tag")
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        members = {name: opened.extractfile(name) for name in opened.getnames()}
        texts = {name: member.read() for name, member in members.items() if member}
    (manifest,) = json.loads(texts["manifest.json"])
    configuration = json.loads(texts[manifest["Config"]])
    assert manifest["RepoTags"] == ["some/name:tag"]
    parts = (configuration[key] for key in ("os", "architecture", "variant") if key in configuration)
    assert "/".join(parts) == arch.oci
    with tarfile.open(fileobj=io.BytesIO(texts[manifest["Layers"][0]])) as layer:
        (member,) = layer.getmembers()
        assert [f"/{member.name}"] == configuration["config"]["Entrypoint"]
        assert member.mode & 0o111
    assert configuration["config"]["Labels"] == {"io.crosswheel": "probe"}


def test_an_emulator_that_knows_a_faster_processor_is_told_so() -> None:
    arch = architectures()["aarch64"]
    assert Running(arch, natively=False, cpu="max,pauth=off").environ == {"QEMU_CPU": "max,pauth=off"}
    assert Running(arch, natively=True).environ == {}
