import HDF5
import TestSupport
import Testing

/// `seqtrain data generate`: from seeds and sizes to datasets.
@Suite(.serialized) struct SyntheticDataTests {
  private struct Info: Decodable {
    struct Split: Decodable { let name: String, targets: Int, floor: Double?, trivial: Double? }
    let splits: [Split], fingerprint: String, command: String
  }

  private func generate(_ place: Workspace, _ arguments: String...) throws -> Info {
    removeTree(place("d.h5"))
    try place.output(["data", "generate"] + arguments + ["--output", "d.h5"])
    return try decode(Info.self, try place.output(["data", "info", "d.h5", "--json"]))
  }

  @Test func `a task takes seed and sizes, and is the same again`() throws {
    try Workspace.with { place in
      let first = try generate(
        place, "tagged", "--streams", "100", "--length", "9", "--distance=3", "--seed", "5")
      #expect(
        first.command.hasPrefix(
          "seqtrain data generate tagged --streams 100 --length 9 --distance=3 --seed 5"))
      #expect(first.splits.map(\.name) == ["train", "validation", "test"])
      #expect(first.splits.allSatisfy { $0.floor == 0 && (0.68...0.69).contains($0.trivial ?? 0) })
      let attributes = try File.open(place("d.h5")).dataset("splits/train").attributes
      #expect((0.6...0.9).contains(try attributes.number("one_direction_accuracy")))
      #expect(try attributes.string("one_direction_floor_description").contains("from left to right"))
      #expect(
        try generate(place, "tagged", "--distance", "3", "--seed", "5", "--length=9", "--streams=100")
          .fingerprint == first.fingerprint)
      #expect(
        try generate(place, "tagged", "--distance", "3", "--seed", "6", "--length=9", "--streams=100")
          .fingerprint != first.fingerprint)
    }
  }

  @Test func `help names the sizes with their defaults`() throws {
    try Workspace.with { place in
      let all = try place.output(["data", "generate", "--help"])
      for name in ["grammar", "adding", "mackey-glass", "lds"] {
        #expect(all.contains("\n  \(name) "), "\(all)")
      }
      let help = try place.output(["data", "generate", "copy", "--help"]).replacing("\n", with: " ")
      #expect(
        help.contains("--delay <delay>") && help.contains("(default: 50; an integer from 0 to"), "\(help)")
    }
  }

  @Test func `sizes that there are not are refused`() throws {
    try Workspace.with { place in
      for (arguments, expected) in [
        (["parity", "--lenght", "5"], "lenght is not a setting; the nearest is length"),
        (["parity", "--length", "much"], "length=much: expected an integer from 1 to 1000000, found much"),
        (
          ["recall", "--pairs", "20"],
          "20 pairs with 4 queries and 16 keys: expected no more queries than pairs"
        ),
      ] {
        expectRefusal(
          try place.seqtrain(["data", "generate"] + arguments + ["--output", "d.h5"]), [expected])
      }
      let wrong = try place.seqtrain(["data", "generate", "parity", "--output", "d.h5", "5"])
      #expect(wrong.status == 64 && wrong.errors.contains("5: expected a size, such as --streams 100"))
      #expect(try place.entries == [])
    }
  }

  private struct Evaluation: Decodable { let loss: Double, floor: Double, excess: Double? }

  @Test func `a loss is no fraction above a floor of 0`() throws {
    try Workspace.with { place in
      _ = try generate(place, "parity", "--streams", "100", "--length", "8")
      try place.output(
        ["train", "--run", "run", "--data", "d.h5"]
          + set([
            "model.hidden=4", "model.embedding=4", "training.lanes=4", "training.chunk=8", "training.steps=2",
          ]))
      let found = try decode(Evaluation.self, try place.output(["eval", "run", "--json"]))
      #expect(found.floor == 0 && found.excess == nil && found.loss > 0.1)
      let text = try place.output(["eval", "run"])
      #expect(text.contains(/lowest loss +0.0000\n/), "\(text)")
    }
  }
}
