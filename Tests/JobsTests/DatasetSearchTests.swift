import Glibc
import HDF5
import Jobs
import Sequences
import TestSupport
import Testing
import Training

@Suite struct DatasetSearchTests {
  /// Checkpoints of earlier versions do not say where the data lay, but the program was mostly started somewhere above
  /// the run.
  @Test func `the data of a checkpoint that does not tell their place are found above it`() throws {
    try withTemporaryDirectory { base in
      for name in ["runs", "runs/r", "data"] { mkdir("\(base)/\(name)", 0o755) }
      try SampleRun.makeDataset("\(base)/data/x.h5", splits: ["train"])
      let fingerprint = try SequenceDataset("\(base)/data/x.h5").fingerprint
      let store = CheckpointStore(directory: "\(base)/runs/r/checkpoints")
      mkdir(store.directory, 0o755)
      func write(_ fingerprint: String) throws -> CheckpointFile {
        try store.write(
          CheckpointHeader(
            configuration: "", data: .language(Vocabulary(level: .char, spellings: ["a"])),
            datasetFingerprint: fingerprint, datasetPlace: nil, mode: .packed, optimizer: "adam",
            progress: TrainingProgress()), [])
        return try CheckpointStore.open("\(store.directory)/step-00000000.h5")
      }
      let found = try DatasetSearch(write(fingerprint), name: "data/x.h5").find()
      #expect(found.hasSuffix("\(base)/data/x.h5"))
      let another = try DatasetSearch(write("another"), name: "data/x.h5")
      #expect {
        try another.find()
      } throws: {
        "\($0)".contains("data/x.h5: its fingerprint is \(fingerprint)")
      }
    }
  }
}
