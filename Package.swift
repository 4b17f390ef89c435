// swift-tools-version: 6.2
import PackageDescription

/// `SEQTRAIN_STRICT=1`, as the continuous integration sets it, turns warnings into errors.
let strict = Context.environment["SEQTRAIN_STRICT"] == "1"
let swiftSettings: [SwiftSetting] = strict ? [.treatAllWarnings(as: .error)] : []
/// The kernels are optimised in debug builds too: tests of whole models would take hours otherwise.
let kernelSettings: [CSetting] = [.unsafeFlags(["-O3", "-Wall", "-Wextra"] + (strict ? ["-Werror"] : []))]

/// Links the Swift runtime into the program, so that it runs on hosts without a Swift toolchain. Not by `swift build
/// --static-swift-stdlib`, which would have all built again for the tests, whose libraries are dynamic.
let staticRuntime =
  ["-static-stdlib", "-use-ld=lld"]
  + ["_FoundationCShims", "_FoundationCollections", "CoreFoundation", "_FoundationICU", "stdc++"].map {
    "-l\($0)"
  }

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(of name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.target(name: name), "TestSupport"] + dependencies,
    exclude: exclude, swiftSettings: swiftSettings)
}

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "seqtrain",
  products: [.executable(name: "seqtrain", targets: ["seqtrain"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    .systemLibrary(name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5-serial", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(
      name: "SentencePieceLibrary", pkgConfig: "sentencepiece", providers: [.apt(["libsentencepiece-dev"])]),
    .target(name: "CSentencePiece", dependencies: ["SentencePieceLibrary"]),
    .target(name: "CKernels", cSettings: kernelSettings),
    .target(name: "COneDNN"),
    .target(name: "CSupport"),

    module("Preconditions", []),
    module("FileSystem", ["CSupport"]),
    module("MPI", ["COpenMPI", "CSupport", "FileSystem", "Preconditions", "Threads"]),
    module("HDF5", ["CHDF5", "FileSystem", "Preconditions"]),
    module("SentencePiece", ["CSentencePiece", "Preconditions"]),
    module("Random", ["CKernels", "Preconditions"]),
    module("Threads", ["CSupport", "Preconditions"]),
    module("Chunks", ["Preconditions"]),
    module("Settings", [yams]),
    module("Core", ["CKernels", "COneDNN", "Chunks", "Settings", "Random", "Preconditions"]),
    module(
      "Sequences",
      [
        "Chunks", "Settings", "FileSystem", "HDF5", "SentencePiece", "Random", "Threads", "CSupport",
        "Preconditions",
        "CZlib", crypto,
      ]),
    module(
      "Evaluation",
      ["Chunks", "Core", "Sequences", "Settings", "MPI", "HDF5", "FileSystem", "Random", "Preconditions"]),
    module(
      "Training",
      [
        "Evaluation", "Chunks", "Core", "Sequences", "Settings", "MPI", "HDF5", "FileSystem", "Threads",
        "CKernels", "Preconditions", crypto,
      ]),
    module(
      "Reports",
      [
        "Training", "Evaluation", "Chunks", "Core", "Sequences", "Settings", "FileSystem", "Threads",
        "Preconditions", logging,
      ]),
    module(
      "Jobs",
      [
        "Training", "Evaluation", "Reports", "Chunks", "Core", "Sequences", "Settings", "MPI", "HDF5",
        "FileSystem", "Random", "CSupport", "Preconditions",
      ]),
    .executableTarget(
      name: "seqtrain",
      dependencies: [
        "Jobs", "Training", "Evaluation", "Reports", "Chunks", "Core", "Sequences", "SentencePiece",
        "Settings", "MPI",
        "FileSystem",
        arguments,
      ],
      swiftSettings: swiftSettings,
      linkerSettings: [.unsafeFlags(staticRuntime)]),

    .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
    .target(
      name: "TestSupport", dependencies: ["CAllocationCounter"], path: "Tests/TestSupport",
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "MultiRank",
      dependencies: [
        "MPI", "HDF5", "Jobs", "Training", "Evaluation", "Chunks", "Core", "Sequences", "Preconditions",
        "CAllocationCounter",
        "CSupport",
      ],
      path: "Tests/MultiRank",
      swiftSettings: swiftSettings),
    tests(of: "Preconditions", ["MultiRank"]),
    tests(of: "MPI", ["MultiRank"]),
    tests(of: "FileSystem"),
    tests(of: "HDF5", ["CHDF5", "FileSystem", "MultiRank"]),
    tests(of: "SentencePiece"),
    tests(of: "Random", ["CKernels"]),
    tests(of: "Settings"),
    tests(of: "Core", ["Chunks", "HDF5", "CKernels", "Random"], exclude: ["Fixtures"]),
    tests(of: "Sequences", ["Chunks", "HDF5", "SentencePiece", "Random", "Settings"], exclude: ["Fixtures"]),
    tests(
      of: "Training",
      ["Chunks", "Core", "Sequences", "Settings", "FileSystem", "HDF5", "MPI", "MultiRank", crypto]),
    tests(of: "Evaluation", ["Chunks", "Core", "Random"], exclude: ["Fixtures"]),
    tests(of: "Reports", ["MPI", "Training"]),
    tests(of: "Jobs", ["Chunks", "Training", "Evaluation", "Sequences", "HDF5", "MultiRank"]),
    .testTarget(
      name: "SeqtrainTests", dependencies: ["MultiRank", "TestSupport", "HDF5"],
      swiftSettings: swiftSettings),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
