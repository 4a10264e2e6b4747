"""The rules of an audit, one short class per rule; the first digit of a code is its subject.

0xx the file itself, 1xx tags, 2xx ELF headers, 3xx extension modules, 4xx symbols and linkage, 5xx archive, 6xx
purity, 7xx the wheels of one release together, 8xx the release against its sources and an index. A code is never
reused for another rule, so that old reports keep their meaning.
"""

from __future__ import annotations

from crosswheel.auditing.rules import (
    archive,
    contents,
    extensions,
    files,
    imports,
    index,
    linkage,
    loading,
    machine,
    metadata,
    purity,
    record,
    release,
    requirements,
    runtimes,
    sboms,
    schemes,
    segments,
    startup,
    symbols,
    tags,
    unreadable,
    wheelhouse,
)
from crosswheel.auditing.rules.index import IndexRule
from crosswheel.auditing.rules.release import ReleaseRule
from crosswheel.auditing.rules.rule import Rule, Worded
from crosswheel.auditing.rules.wheelhouse import SetRule

__all__ = ["ALL_RULES", "INDEX_RULES", "RELEASE_RULES", "RULES", "SET_RULES"]

RULES: tuple[Rule, ...] = (
    # A wheel without compiled code breaks other rules too; this rule states the cause, so it comes first.
    purity.NothingCompiled(),
    purity.BinaryInPureWheel(),
    purity.NothingInside(),
    purity.OtherSystemsBinary(),
    tags.TagsDiffer(),
    tags.TagsBeyond(),
    metadata.NameDiffers(),
    tags.RefusedPlatform(),
    tags.NotTheTarget(),
    tags.UnprovablePlatform(),
    tags.OtherSystem(),
    tags.ImpossibleTag(),
    tags.IdleTag(),
    tags.ExcludedPython(),
    metadata.FolderDiffers(),
    metadata.NameUnescaped(),
    metadata.BadMetadata(),
    metadata.RefusedMetadata(),
    metadata.BadEntryPoints(),
    metadata.BuildDiffers(),
    metadata.UnknownFormat(),
    metadata.RootDiffers(),
    metadata.LocalVersion(),
    metadata.Placeholder(),
    requirements.RequirementUnmet(),
    requirements.FirstReleaseOnly(),
    imports.EntryPointAbsent(),
    imports.ImportNameAbsent(),
    imports.ImportNameUnstated(),
    machine.BrokenElf(),
    machine.WrongMachine(),
    machine.WrongAbi(),
    segments.ExecutableStack(),
    segments.TextRelocations(),
    segments.SmallPages(),
    segments.PackedRelocations(),
    segments.PackedForMusl(),
    machine.OtherLoader(),
    machine.NewerProcessor(),
    machine.PerhapsNewerProcessor(),
    machine.CodeUnread(),
    segments.StaticTls(),
    extensions.WrongSuffix(),
    extensions.BareSuffix(),
    extensions.UnloadableStableAbi(),
    extensions.BuiltTwice(),
    extensions.NoInit(),
    extensions.OutsideStableAbi(),
    extensions.AbiUnnamed(),
    extensions.PythonUnknown(),
    extensions.StableAbiUnused(),
    extensions.GilTurnedOn(),
    linkage.PathOutside(),
    linkage.PathOfTheSystem(),
    linkage.PathInEnvironment(),
    linkage.TooNewSymbols(),
    linkage.MissingLibrary(),
    linkage.LibraryElsewhere(),
    linkage.SanitizerLeft(),
    symbols.UnresolvedSymbol(),
    linkage.ForbiddenSymbol(),
    loading.LibraryNotFound(),
    runtimes.TwoRuntimes(),
    record.RecordIncomplete(),
    record.RecordWrong(),
    archive.DuplicateName(),
    archive.UnsafeName(),
    archive.NotAFile(),
    archive.Ambiguous(),
    files.Leftover(),
    archive.TooLarge(),
    files.MissingLicence(),
    archive.DishonestTime(),
    archive.CannotUnpack(),
    archive.ZipBomb(),
    files.TopLevelClutter(),
    archive.CollidingNames(),
    archive.NotForWindows(),
    schemes.DataMisplaced(),
    schemes.ScriptUnstartable(),
    schemes.CommandReplaced(),
    files.Credentials(),
    startup.StartupCode(),
    startup.FolderElsewhere(),
    files.HiddenModule(),
    record.Signed(),
    imports.StubsUnmarked(),
    imports.StubsAbsent(),
    sboms.SbomUnreadable(),
    sboms.LibraryUnnamed(),
)

SET_RULES: tuple[SetRule, ...] = (
    wheelhouse.VersionsDiffer(),
    wheelhouse.MetadataDiffers(),
    wheelhouse.TargetMissing(),
    wheelhouse.WheelTwice(),
    wheelhouse.Replaced(),
    wheelhouse.StableAbiCovered(),
    wheelhouse.SameContents(),
    wheelhouse.SdistAbsent(),
    wheelhouse.SdistDiffers(),
    wheelhouse.SdistMisnamed(),
    contents.FilesLeftOut(),
)

RELEASE_RULES: tuple[ReleaseRule, ...] = (
    release.Unsendable(),
    release.DescriptionUnrendered(),
    release.DescriptionMissing(),
    release.SdistTooLarge(),
    release.SdistDisagrees(),
    release.WheelAbsent(),
    release.TagDiffers(),
    release.TagAbsent(),
    release.NotAsBuilt(),
    release.MetadataTooNew(),
    release.SparseMember(),
    release.LicenceNotInside(),
)

INDEX_RULES: tuple[IndexRule, ...] = (
    index.ProjectClosed(),
    index.ReleaseClosed(),
    index.ProjectTooLarge(),
    index.SecondSdist(),
)

# Every rule that can be listed and switched off. Four have no check of their own: the reader of a wheel reports an
# unreadable file; the build reports what it went on without (W605, W607, W608) and a requirement that the target lacks;
# W403 becomes W411 by the option `exclude`.
ALL_RULES: tuple[Worded, ...] = tuple(
    sorted(
        (
            *(unreadable.UnreadableWheel(), purity.NotCompiled(), purity.NotRun(), purity.NotThere()),
            purity.RequirementNotForTarget(),
            linkage.LibraryExcluded(),
            *(*RULES, *SET_RULES, *RELEASE_RULES, *INDEX_RULES),
        ),
        key=lambda rule: rule.code,
    )
)
