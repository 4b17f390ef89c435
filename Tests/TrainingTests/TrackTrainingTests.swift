import Chunks
import Sequences
import TestSupport
import Testing
import Training

/// Trainings on data other than text, by the scenario `train`.
@Suite(.serialized) struct TrackTrainingTests {
  /// 120 streams of frames, with a label each, at the last position, for the sum of its first column.
  private func makeLabelledFrames(_ path: String) throws {
    let lengths = (0..<120).map { 2 + $0 * 7 % 23 }
    let offsets = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    var noise: UInt32 = 1
    var frames: [Float] = []
    var labels: [Int32] = []
    var weights: [Float] = []
    for length in lengths {
      var sum: Float = 0
      for position in 0..<length {
        noise = noise &* 1_664_525 &+ 1_013_904_223
        let value = Float(noise >> 8) / Float(1 << 24)
        sum += value - 0.5
        frames += [value, Float(position)]
        labels.append(sum > 0 ? 1 : 0)
        weights.append(position == length - 1 ? 1 : 0)
      }
    }
    try DatasetContent(
      DataDescription([
        .input: .frames(FrameColumns(["x", "t"], units: ["", "s"], means: [0.5, 8], scales: [0.3, 6])),
        .target: .tokens(Vocabulary(level: .label, spellings: ["falls", "rises"])),
      ]), offsets: offsets,
      splits: [
        .init(name: "train", range: 0..<offsets[96]),
        .init(name: "validation", range: offsets[96]..<offsets[120]),
      ],
      values: [.input: .frames(frames), .target: .tokens(labels)], positionWeights: weights,
      origin: DatasetOrigin(command: "a test")
    ).write(to: path)
  }

  @Test func `data of tracks train to the same bits on any ranks and over stops, in every mode`() throws {
    try withTemporaryDirectory { base in
      try makeLabelledFrames("\(base)/data.h5")
      let modes = ["contiguous", "packed", "whole"]
      func settings(_ mode: String) -> [String] {
        ["data.mode=\(mode)", "training.steps=20", "evaluation.every=10", "training.chunk=6"]
      }
      var digests: Set<[String]> = []
      for ranks in [1, 2, 3, 8] {
        let (lines, result) = try train(
          base, ranks: ranks, modes.map { ("\($0)-\(ranks)", settings($0)) })
        #expect(lines.map(\.ending) == ["finished", "finished", "finished"], "\(result)")
        digests.insert(lines.map(\.digest))
      }
      let expected = try #require(digests.first)
      #expect(digests.count == 1 && Set(expected).count == 3)
      for (ranks, stop) in [(3, 7), (2, 13), (8, 20)] {
        let (lines, result) = try train(
          base, ranks: ranks,
          modes.map { ("\($0)-chain", settings($0) + (stop < 20 ? ["@stop=0:\(stop)"] : [])) })
        #expect(lines.map(\.step) == [stop, stop, stop], "\(result)")
        if stop == 20 { #expect(lines.map(\.digest) == expected) }
      }
      let file = try #require(try CheckpointStore(directory: "\(base)/whole-1").newestSound().file)
      #expect(try file.header.data == SequenceDataset("\(base)/data.h5").description)
      #expect(file.header.mode == .whole)
    }
  }
}
